"""Say who answers which method."""

from __future__ import annotations

from descartes_core.messages.common import Nothing
from descartes_daemon.answers import Answers, Ending, Reply
from descartes_daemon.assembly import Daemon
from descartes_daemon.audit import Audits
from descartes_daemon.batch import Batches
from descartes_daemon.event_list import EventList
from descartes_daemon.keyboard import Keyboard
from descartes_daemon.reading import Reading
from descartes_daemon.renaming import Renaming
from descartes_daemon.shortage import Spare
from descartes_daemon.showing import Showing
from descartes_daemon.spawning import Habits, Spawner
from descartes_daemon.start_here import StarterHere
from descartes_daemon.verbs import Verbs


def register(daemon: Daemon) -> None:
    """Give every method of the table to whom it is for."""
    settings = daemon.setup.settings.agents
    habits = Habits(
        grace=settings.grace,
        rows=settings.rows,
        cols=settings.cols,
        most_agents=settings.max_agents,
        max_arguments=settings.max_arguments,
        max_name=settings.max_name,
        max_environment=settings.max_environment,
    )
    spare = Spare(daemon.agents, settings.spare_descriptors, daemon.upkeep.notices)
    here = StarterHere(daemon.agents, daemon.watch, daemon.limiting, settings.command, daemon.setup.soft_nofile)
    spawner = Spawner(daemon.agents, here, habits, spare, daemon.place, daemon.rooms.tasks)
    verbs = Verbs(daemon.agents, spawner, daemon.effects)
    answers = Answers(daemon.agents, daemon.orphans, daemon.upkeep, daemon.endpoints, daemon.ask_others)
    ending = Ending(daemon.agents, daemon.leaving, daemon.stop)
    each = {"pause": verbs.pause, "resume": verbs.resume, "stop": verbs.stop, "kill": verbs.kill}
    batches = Batches(daemon.agents, {**each, "signal": verbs.signal})
    keyboard = Keyboard(daemon.agents, daemon.screens)
    reads, acts = daemon.dispatcher.reads, daemon.dispatcher.acts
    reads("agent.list", answers.list_agents)
    reads("agent.get", answers.get_agent)
    reads("agent.output", Reading(daemon.agents).output)
    reads("agent.screen", Showing(daemon.agents, daemon.screens).screen)
    reads("agent.wait", verbs.wait)
    reads("agent.audit", Audits(daemon.agents).audit)
    reads("session.info", answers.session)
    reads("event.list", EventList(daemon.feed).list)
    reads("system.health", answers.health)
    reads("system.stats", daemon.counting.stats)
    reads("system.metrics", daemon.counting.metrics)
    acts("agent.spawn", verbs.spawn, verbs.spawned_before)
    acts("agent.write", keyboard.write, verbs.unknown_before)
    acts("agent.signal", verbs.signal, verbs.unknown_before)
    acts("agent.resize", keyboard.resize)
    acts("agent.pause", verbs.pause, verbs.show)
    acts("agent.resume", verbs.resume, verbs.show)
    acts("agent.stop", verbs.stop, verbs.gone_before)
    acts("agent.kill", verbs.kill, verbs.gone_before)
    acts("agent.batch", batches.batch, batches.batch_before)
    reads("bus.status", daemon.bus.status)
    acts("bus.connect", daemon.bus.connect)
    acts("bus.drain", daemon.bus.drain)
    acts("session.collect", daemon.collecting.collect)
    acts("system.shutdown", ending.shutdown)
    acts("session.rename", _renaming(daemon, answers).rename)
    daemon.dispatcher.on_call = daemon.scud_watch.look_soon


def _renaming(daemon: Daemon, answers: Answers) -> Renaming:
    def info() -> Reply:
        daemon.bus.renamed()
        return answers.session(Nothing())

    return Renaming(
        daemon.upkeep,
        daemon.store,
        daemon.background,
        info=info,
        tell_keeper=lambda name: daemon.keeping.tell_name(daemon.upkeep.record.id, name),
        tell_later=daemon.disk_news.tell,
    )
