"""The domain: who may be contacted, moved, read, kept and forgotten, and the proof of every answer.

Rooms, high to low (a lower room never imports a higher one):
bootstrap, reports, imports, evaluation, communications | lifecycle, consent, subjects, purposes,
decisions, policy, vault, ledger, tenants | access | queue, work, and the kernel
(database, settings, events, clock, ids, errors).
"""
