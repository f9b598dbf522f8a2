"""Pieces of PromQL that every board shares.

Each selector names the run. What is counted per day is counted per simulated day, by the blocks that were made
meanwhile: so a panel shows the same of a live run, scraped in wall time, as of a past one in simulated time.
"""

BLOCKS_PER_DAY = 7200

RUN = 'run=~"$run"'
NETUID = 'netuid=~"$netuid"'
ROLE = 'role=~"$role"'


def of(name, *matchers):
    """A metric of the chosen run."""
    return f"{name}{{{', '.join([RUN, *matchers])}}}"


def total(expression, *labels):
    """The sum by labels, or over everything of a run."""
    return f"sum by ({', '.join(labels or ['run'])}) ({expression})"


def each(expression, *labels):
    """The same series with these labels alone: a run that is scraped and written remotely is there once."""
    return f"max by ({', '.join(labels or ['run'])}) ({expression})"


def named(values, information, on, names):
    """Values with labels of an information metric. Where one has just taken another's place, only one of the two counts."""
    on, names = ", ".join(on), ", ".join(names)
    return f"{values} * on ({on}) group_left ({names}) topk by ({on}) (1, {information})"


def growth(name, *matchers, by=(), over="$window"):
    """What a counter grew by within a time."""
    return total(f"increase({of(name, *matchers)}[{over}])", *by)


def blocks(over="$window"):
    """Blocks made within a time; nothing while none are made.

    The height is no counter: a run that is started again goes back to its checkpoint. So Prometheus guesses a counter's
    first step and not the height's, and amounts per day read too high over the first few samples of a run.
    """
    return f"(max by (run) (delta({of('btemu_block_height')}[{over}])) > 0)"


def per_block(name, *matchers, by=(), over="$window"):
    """What a counter grew by per block."""
    return f"{growth(name, *matchers, by=['run', *by], over=over)} / on (run) group_left () {blocks(over)}"


def per_day(name, *matchers, by=(), over="$window"):
    """What a counter grew by per simulated day."""
    return f"{BLOCKS_PER_DAY} * {per_block(name, *matchers, by=by, over=over)}"


def moved(name, *matchers, by=("run",), over="$__range"):
    """Part by which a gauge moved within a time: 0.1 for a tenth more. Where data begin later, since then."""
    now, by_how_much = each(of(name, *matchers), *by), each(f"delta({of(name, *matchers)}[{over}])", *by)
    return f"{by_how_much} / ({now} - {by_how_much})"


def happened(name, *matchers, by=()):
    """Steps in which a counter grew, each exactly once: what annotations ask."""
    now = total(of(name, *matchers), *by)
    before = total(f"{of(name, *matchers)} offset $__interval", *by)
    return f"{now} - {before} > 0"
