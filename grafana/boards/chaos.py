"""Chaos and attacks: what went wrong on purpose, what was detected, and whether the rules still hold."""

from . import marks
from .board import board, row, window_variable
from .panel import BAD, COUNT, GOOD, LOOK, RATIO, WHOLE, bars, lines, query, stat, states
from .query import each, growth, of, per_block

SIGNAL = ((GOOD, None), ("yellow", 0.5), (BAD, 1))
NONE_IS_GOOD = ((GOOD, None), (BAD, 1))
LOST = "btemu_messages_dropped_total"
SENT = "btemu_messages_sent_total"
NOT_ACCEPTED = 'outcome!="accepted"'
STRONGEST = each(of("btemu_detector_signal_ratio"), "detector")

BOARD = board(
    "chaos", "Chaos and attacks", "What went wrong on purpose, what was detected, and whether the rules still hold.",
    [window_variable()],
    [*marks.FAULTS, *marks.detections(enabled=True), *marks.RESTARTS],
    [
        row(
            None,
            stat("Detectors in alarm", "Whose strongest signal is above its threshold now.",
                 query(f"sum ({STRONGEST} >= bool 1)"), WHOLE, ((GOOD, None), (LOOK, 1), (BAD, 4))),
            stat("Alarms", "Of all detectors, within the time shown.",
                 query(growth("btemu_detector_alarms_total", over="$__range")), WHOLE, ((GOOD, None), (LOOK, 1)), decimals=0),
            stat("Faults in force", "Simulated ones, in the last block.",
                 query(f"sum ({each(of('btemu_faults_active'), 'kind')})"), WHOLE, ((GOOD, None), (LOOK, 1))),
            stat("Messages lost", "Part of those sent within the window, to faults and to the network.",
                 query(f"{growth(LOST, by=['run'])} / ({growth(SENT, by=['run'])} > 0)"), RATIO,
                 ((GOOD, None), (LOOK, 0.05), (BAD, 0.25)), decimals=1),
            stat("Invariants violated", "Blocks after which one did not hold. It is a bug of the emulator if there is any. Of live runs only.",
                 query(each(of("btemu_invariants_violated_total"))), WHOLE, NONE_IS_GOOD),
            stat("Players crashed", "Whose machine panicked; they stay idle.",
                 query(each(of("btemu_players_crashed_total"))), WHOLE, NONE_IS_GOOD),
        ),
        row(
            "Detectors",
            states("Signals", "The strongest signal of each detector, in parts of its threshold: red is an alarm.",
                   query(STRONGEST, "{{detector}}"), RATIO, SIGNAL, width=16, height=14),
            bars("Signals now", "In parts of the threshold; those that see nothing are left out.", query(f"sort_desc({STRONGEST} > 0)", "{{detector}}"), RATIO, SIGNAL,
                 height=14, min=0),
            lines("Alarms", "Since the run began, by detector.",
                  query(f"{each(of('btemu_detector_alarms_total'), 'detector')} > 0", "{{detector}}"), WHOLE, table=True),
            lines("Why calls failed", "Calls that changed nothing, per block, by reason: attackers are often told no.",
                  query(per_block("btemu_calls_total", NOT_ACCEPTED, by=["reason"]), "{{reason}}"), COUNT, stack=True, table=True),
        ),
        row(
            "Faults",
            lines("In force", "Simulated faults, by kind.", query(each(of("btemu_faults_active"), "kind"), "{{kind}}"),
                  WHOLE, width=8, stack=True, min=0),
            lines("Came into force", "Since genesis, by kind.", query(each(of("btemu_faults_total"), "kind"), "{{kind}}"),
                  WHOLE, width=8, min=0),
            lines("Messages", "Per block: sent, delivered, lost.",
                  [query(per_block(SENT), "sent"), query(per_block("btemu_messages_delivered_total"), "delivered"),
                   query(per_block(LOST), "lost")], COUNT, width=8, min=0),
            lines("Below the simulation", "What struck processes, frames and the log since the run began, by kind; changes no block. Of live runs only.",
                  query(each(of("btemu_disturbances_total"), "kind"), "{{kind}}"), WHOLE, width=8, min=0),
            lines("Restarts", "How often all processes were started again because one was lost. Of live runs only.",
                  query(each(of("btemu_restarts_total")), "restarts"), WHOLE, ((GOOD, None), (LOOK, 1)), width=8, min=0),
            lines("Invariants", "Blocks after which all were checked (with --check-invariants), and of these after which one did not hold. Of live runs only.",
                  [query(each(of("btemu_invariants_checked_total")), "checked"),
                   query(each(of("btemu_invariants_violated_total")), "violated")], WHOLE, width=8, min=0),
        ),
    ],
)
