"""Emulator: how fast a live run is, what it waits for, and what it takes."""

from . import marks
from .board import board, row
from .panel import (
    BAD, BYTES, COUNT, DURATION, GOOD, LOOK, PER_SECOND, RATIO, SECONDS, WHOLE, heatmap, lines, stat,
)
from .panel import query as asked
from .query import each, of, total

STEP = "5s"
OVER = "$__rate_interval"
PHASE = "btemu_block_phase_seconds"
SLICES = 'phase="slices"'
SYNC = "btemu_log_sync_seconds"


def query(expression, legend=""):
    """The live run is scraped every few seconds, and shown so."""
    return asked(expression, legend, STEP)


def rate(name, *matchers, by=("run",)):
    return total(f"rate({of(name, *matchers)}[{OVER}])", *by)


def quantile(part, name, *by):
    return f"histogram_quantile({part}, {rate(name + '_bucket', by=['le', *by])})"


MEAN = f"{rate(PHASE + '_sum', by=['phase'])} / ({rate(PHASE + '_count', by=['phase'])} > 0)"
# A run that was started again goes back to its checkpoint: no counter, and no progress meanwhile.
PACE = each(f"clamp_min(deriv({of('btemu_simulated_seconds')}[{OVER}]), 0)")
BLOCK_SECONDS = 12

BOARD = board(
    "emulator", "Emulator", "How fast a live run is, what it waits for, and what it takes from the machine.",
    [],
    [*marks.RESTARTS],
    [
        row(
            None,
            stat("Blocks per second", "Of wall time, now.", query(f"{PACE} / {BLOCK_SECONDS}"), PER_SECOND,
                 ((BAD, None), (GOOD, 0.083)), decimals=1),
            stat("Faster than the chain", "Simulated seconds per second of wall time since the run began; the real network is 1.",
                 query(f"{BLOCK_SECONDS} * {each(of('btemu_speed_blocks_per_second'))}"), "suffix: ×",
                 ((BAD, None), (GOOD, 1)), decimals=1),
            stat("Block", "The chain's own number of the last block.", query(each(of("btemu_block_height"))), WHOLE),
            stat("Slowest phase", "95th percentile of the slowest phase of a block.",
                 query(f"max ({quantile(0.95, PHASE, 'phase')})"), SECONDS, ((GOOD, None), (LOOK, 1), (BAD, 12))),
            stat("Memory", "Resident, of all processes of the run.",
                 query(f"sum ({each(of('btemu_process_resident_memory_bytes'), 'process')})"), BYTES,
                 ((GOOD, None), (LOOK, 4e9), (BAD, 16e9))),
            stat("Restarts", "How often all processes were started again because one was lost.",
                 query(each(of("btemu_restarts_total"))), WHOLE, ((GOOD, None), (LOOK, 1), (BAD, 5))),
        ),
        row(
            "Time",
            lines("Simulated seconds per second", "How much faster than the real network the run is.",
                  query(PACE, "now"), "suffix: ×", ((BAD, None), (GOOD, 1))),
            lines("Where a block's time goes", "Mean per block, by phase. Players go on while the books of the last block are kept, so phases add up to more than a block takes.",
                  query(MEAN, "{{phase}}"), SECONDS, stack=True, table=True),
            lines("Slow blocks", "95th percentile of each phase.",
                  query(quantile(0.95, PHASE, "phase"), "{{phase}}"), SECONDS, width=8),
            heatmap("Players at work", "How long players took for what lies between two blocks.",
                    query(total(f"increase({of(PHASE + '_bucket', SLICES)}[{OVER}])", "le"), "{{le}}"),
                    SECONDS, width=8),
            lines("Making the log safe", "Mean and 99th percentile of a wait until the log is on disk.",
                  [query(f"{rate(SYNC + '_sum')} / ({rate(SYNC + '_count')} > 0)", "mean"),
                   query(quantile(0.99, SYNC), "99 %")], SECONDS, ((GOOD, None), (LOOK, 0.5), (BAD, 5)), width=8),
        ),
        row(
            "What waits",
            lines("Queues", "What waits, by queue: calls for a block with room, messages under way, caches being written, batches to be sent.",
                  query(each(of("btemu_queue_depth"), "queue"), "{{queue}}"), COUNT, width=8, min=0),
            lines("Inputs", "That players took, per second, by process.",
                  query(rate("btemu_process_steps_total", by=["process"]), "{{process}}"), PER_SECOND, width=8, stack=True),
            lines("Messages", "Between players, per second of wall time.",
                  [query(rate("btemu_messages_sent_total"), "sent"), query(rate("btemu_messages_dropped_total"), "lost")],
                  PER_SECOND, width=8),
        ),
        row(
            "What it takes",
            lines("Memory", "Resident, by process.",
                  query(each(of("btemu_process_resident_memory_bytes"), "process"), "{{process}}"), BYTES, width=8, stack=True),
            lines("Processors", "Processor time per second, by process: 100 % is one core.",
                  query(rate("btemu_process_cpu_seconds_total", by=["process"]), "{{process}}"), RATIO, width=8, stack=True),
            lines("Log", "Size on disk.", query(each(of("btemu_log_bytes")), "log"), BYTES, width=8, min=0),
            lines("Players", "That each process carries.",
                  query(each(of("btemu_process_players"), "process"), "{{process}}"), WHOLE, width=8, stack=True),
            lines("Remote write", "Samples per second, by fate: lost ones were refused, or the receiver was away too long.",
                  query(rate("btemu_remote_write_samples_total", by=["fate"]), "{{fate}}"), PER_SECOND,
                  ((GOOD, None),), width=8),
            lines("Wall time", "For how long blocks have been made, and the simulated time up to the last; logarithmic.",
                  [query(each(of("btemu_wall_seconds")), "wall"), query(each(of("btemu_simulated_seconds")), "simulated")],
                  DURATION, width=8, log=True),
        ),
    ],
    live=True,
)
