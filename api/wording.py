"""What the pages behind links say, in the languages that are shipped; `Accept-Language` chooses."""

from collections.abc import Mapping

from flask import request

LANGUAGES = ("en", "de")

_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "confirm": "Confirm",
        "confirm.text": "Please confirm that you want this. Nothing happens until you press the button.",
        "confirm.button": "Yes, I confirm",
        "confirmed": "Confirmed",
        "confirmed.text": "Thank you. Your confirmation is recorded; you can withdraw it at any time.",
        "unsubscribe": "Unsubscribe",
        "unsubscribe.text": "Nothing happens until you press the button.",
        "unsubscribe.button": "Unsubscribe",
        "unsubscribed": "Unsubscribed",
        "unsubscribed.text": "You are unsubscribed. This takes effect at once.",
        "unsubscribed.already": "You are unsubscribed already.",
        "about.purpose": "What for",
        "about.channel": "How",
        "about.topic": "About",
        "every.purpose": "everything",
        "every.channel": "every channel",
        "every.topic": "all topics",
        "trouble.410": "This link has run out",
        "trouble.409": "This link can no longer be used",
        "trouble.404": "This link is not known",
        "trouble.410.text": "Open a newer message, or ask for a new link.",
        "trouble.409.text": "What it stands for has changed since it was sent.",
        "trouble.404.text": "It is not complete or was changed; open it again from the message.",
        "preferences": "Your choices",
        "preferences.text": "Choose what we may write to you about. A change takes effect at once.",
        "preferences.saved": "Your choices are saved and take effect at once.",
        "preferences.off": "Everything is off: you get no advertising from us on any channel.",
        "preferences.off.button": "Turn everything off",
        "preferences.off.text": "No more advertising, on any channel. One press is enough.",
        "preferences.each": "Or choose one by one",
        "preferences.save": "Save my choices",
        "preferences.yes": "Yes",
        "preferences.no": "No",
        "preferences.unset": "Where neither is chosen you have not said anything yet.",
        "preferences.suppressed": "Your address is on our list of those who are not to be written to. "
        "Choosing “Yes” here does not take it off that list: please ask us to.",
        "preferences.signal": "Your browser asks us not to sell or share your data (Global Privacy Control). "
        "We record that when you save.",
        "channel.email": "E-mail",
        "channel.sms": "Text message",
        "channel.voice": "Telephone",
        "channel.post": "Letter",
        "channel.push": "App notification",
        "channel.social": "Social network",
        "sign_in": "Sign in",
        "sign_in.login": "Name",
        "sign_in.password": "Password",
        "sign_in.code": "Code from your app",
        "sign_in.recovery": "If you do not have your telephone, type a recovery code instead.",
        "sign_in.wrong": "Name, password or code is wrong, or the code was used already.",
        "sign_in.many": "Too many tries. Please wait a while.",
        "sign_in.form": "This page was open too long, or your browser takes no cookies. Please try again.",
        "sign_in.odd": "The link that brought you here is not complete. Go back and try again.",
    },
    "de": {
        "confirm": "Bestätigen",
        "confirm.text": "Bitte bestätigen Sie, dass Sie das möchten. Bis zum Tastendruck geschieht nichts.",
        "confirm.button": "Ja, ich bestätige",
        "confirmed": "Bestätigt",
        "confirmed.text": "Danke. Ihre Bestätigung ist festgehalten; Sie können sie jederzeit widerrufen.",
        "unsubscribe": "Abmelden",
        "unsubscribe.text": "Bis Sie die Taste drücken, geschieht nichts.",
        "unsubscribe.button": "Abmelden",
        "unsubscribed": "Abgemeldet",
        "unsubscribed.text": "Sie sind abgemeldet. Das gilt ab sofort.",
        "unsubscribed.already": "Sie sind bereits abgemeldet.",
        "about.purpose": "Wofür",
        "about.channel": "Wie",
        "about.topic": "Worüber",
        "every.purpose": "alles",
        "every.channel": "auf jedem Weg",
        "every.topic": "alle Themen",
        "trouble.410": "Dieser Link ist abgelaufen",
        "trouble.409": "Dieser Link gilt nicht mehr",
        "trouble.404": "Dieser Link ist nicht bekannt",
        "trouble.410.text": "Öffnen Sie eine neuere Nachricht oder bitten Sie um einen neuen Link.",
        "trouble.409.text": "Wofür er steht, hat sich geändert, seit er verschickt wurde.",
        "trouble.404.text": "Er ist unvollständig oder verändert; öffnen Sie ihn aus der Nachricht.",
        "preferences": "Ihre Auswahl",
        "preferences.text": "Wählen Sie, worüber wir Ihnen schreiben dürfen. Jede Änderung gilt sofort.",
        "preferences.saved": "Ihre Auswahl ist gespeichert und gilt sofort.",
        "preferences.off": "Alles ist aus: Sie erhalten auf keinem Weg Werbung von uns.",
        "preferences.off.button": "Alles ausschalten",
        "preferences.off.text": "Keine Werbung mehr, auf keinem Weg. Ein Druck genügt.",
        "preferences.each": "Oder einzeln wählen",
        "preferences.save": "Auswahl speichern",
        "preferences.yes": "Ja",
        "preferences.no": "Nein",
        "preferences.unset": "Wo nichts gewählt ist, haben Sie noch nichts gesagt.",
        "preferences.suppressed": "Ihre Adresse steht auf unserer Liste derer, denen nicht geschrieben wird. "
        "„Ja“ auf dieser Seite nimmt sie nicht von der Liste: bitten Sie uns darum.",
        "preferences.signal": "Ihr Browser bittet uns, Ihre Daten weder zu verkaufen noch weiterzugeben "
        "(Global Privacy Control). Wir halten das fest, wenn Sie speichern.",
        "channel.email": "E-Mail",
        "channel.sms": "SMS",
        "channel.voice": "Telefon",
        "channel.post": "Brief",
        "channel.push": "App-Mitteilung",
        "channel.social": "Soziales Netz",
        "sign_in": "Anmelden",
        "sign_in.login": "Name",
        "sign_in.password": "Passwort",
        "sign_in.code": "Code aus Ihrer App",
        "sign_in.recovery": "Ohne Ihr Telefon geben Sie stattdessen einen Ersatzcode ein.",
        "sign_in.wrong": "Name, Passwort oder Code ist falsch, oder der Code wurde schon benutzt.",
        "sign_in.many": "Zu viele Versuche. Bitte warten Sie eine Weile.",
        "sign_in.form": "Zu lange offen, oder Ihr Browser nimmt keine Cookies an. Bitte noch einmal.",
        "sign_in.odd": "Der Link, der Sie hierher führte, ist nicht vollständig. Gehen Sie zurück.",
    },
}


def language() -> str:
    """The shipped language that this request likes best; English if none."""
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def say(key: str) -> str:
    """A sentence in the language of this request."""
    return _SENTENCES[language()][key]
