"""The package that answers a request for access or portability, and the person's link to it."""

from flask import Response

from api.disclosures import of_request
from api.rights_shapes import PackageLinkReply
from api.rooms import Room
from api.runtime import Reply, act, request_work
from governance.clock import wire
from governance.rights import package, package_links
from governance.transfers.disclosures import PACKAGE
from governance.work import Work

room = Room("packages", description="What is held about a person, as a file for them.")

_BINARY = {"type": "string", "format": "binary"}


@room.get("/v1/rights-requests/<request_id>/package", scope="rights:read", discloses=of_request(*PACKAGE))
@room.refuses(409)
@room.answers(200, _BINARY, content_type="application/zip", description="Two files in a ZIP.")
def get_package(request_id: str) -> Response:
    """Give the package of an access request, one HTML and one JSON file in a ZIP; 409 until it was made."""
    with request_work() as work:
        content = package.read(work, request_id)
        package.note_fetched(work, request_id)
    headers = {"Content-Disposition": 'attachment; filename="your-data.zip"', "Cache-Control": "no-store"}
    return Response(content, 200, headers, content_type="application/zip")


@room.post("/v1/rights-requests/<request_id>/package/link", scope="rights:write")
@room.refuses(409)
@room.answers(201, PackageLinkReply)
def renew_link(request_id: str) -> Response:
    """Write the person a letter with a new link to their package, which works once; the one before ends."""

    def effect(work: Work) -> Reply:
        letter, link = package_links.reissue(work, request_id)
        kept = {"letter": letter.letter_id, "expires_at": wire(link.expires_at)}
        return Reply(201, kept, kept=kept)

    return act(effect, again=lambda work, outcome: Reply(outcome.status, dict(outcome.kept)))
