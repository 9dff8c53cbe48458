/**
 * The arguments of bubblewrap that hold an agent within its confines. Pure: what there is was looked
 * up before. The order matters: each mount lies on top of those before it.
 *
 * - A PID namespace of its own: nothing outside can be signalled or traced. From outside all of it
 *   is seen as before, so that marks, sessions and directories are found by a scan.
 * - No `--die-with-parent`: the wrapper may die, and its agent goes on.
 * - No `--new-session`: the wrapper has made one, without a terminal. One at a terminal stays in its
 *   session, to be told of its size; a filter keeps it from typing there.
 * - The network is shared: an agent needs its model, and tests their registry and databases. One
 *   without it has a loopback of its own.
 */
import type { OwnPlaces } from '../../ports/agent.ts'
import type { Confines } from '../../ports/confinement.ts'
import { layOut, leadTemporary } from '../confinement/confinement.ts'
import { type Hidden, hiddenWithin, isWithin } from '../confinement/hidden.ts'

/** bubblewrap's two processes around the agent: the one that waits, and the first of the namespace. */
export const GENERATIONS = 2

/** At which a filter of system calls is read, where there is a terminal. */
export const FILTER_FD = 9

/** What it takes to confine anything at all. */
export function namespaceArguments(forbidsNamespaces: boolean): readonly string[] {
  return [
    '--unshare-user',
    // Whoever can make a user namespace can take apart what protects `.git` (design note 002).
    ...(forbidsNamespaces ? ['--disable-userns'] : []),
    ...['--unshare-pid', '--unshare-ipc', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
  ]
}

/** A loose directory, and what was there before. */
export interface Loosened {
  readonly path: string
  /** What is in it, and where that really is. */
  readonly entries: readonly { readonly path: string; readonly source: string }[]
}

/** What there is on this machine, by real path. */
export interface Surroundings {
  /** `/tmp` and the like: they become the task's own. */
  readonly temporary: readonly string[]
  /** Emptied, for the sockets of whatever runs here, … */
  readonly run: readonly string[]
  /** … but for this: by it, names and programs are found. */
  readonly runKept: readonly string[]
  readonly hidden: Hidden
  readonly loose: readonly Loosened[]
  /** The worktree's `.git`, a file or a directory. */
  readonly dotGit: string
  /** An empty plain file. */
  readonly nothing: string
}

/** Worktree, common git directory and scratch directory are given by real path. */
export function bubblewrapArguments(
  confines: Confines,
  { temporary, run, runKept, hidden, loose, dotGit, nothing }: Surroundings,
  forbidsNamespaces: boolean,
): readonly string[] {
  const { mode, worktree, commonDir, program, scratch, workingDirectory, own } = confines
  const { network, terminal } = confines
  const emptied = [...run, ...hidden.directories]
  const covered = [...temporary, ...emptied, ...hidden.files]
  const mask = ({ directories, files }: Hidden) => [
    ...directories.flatMap(path => ['--tmpfs', path]),
    ...files.flatMap(path => ['--ro-bind', nothing, path]),
  ]
  const restored = [commonDir, program].filter(path => covered.some(one => isWithin(path, one)))
  return [
    ...namespaceArguments(forbidsNamespaces),
    ...(network === 'none' ? ['--unshare-net'] : []),
    ...(terminal === true ? ['--seccomp', String(FILTER_FD)] : []),
    ...temporary.flatMap(path => ['--bind', scratch, path]),
    ...run.flatMap(path => ['--tmpfs', path]),
    ...mask(hidden),
    ...[...runKept, ...restored].flatMap(path => ['--ro-bind', path, path]),
    ...ownArguments(own, loose, hidden),
    ...[mode === 'workspace' ? '--bind' : '--ro-bind', worktree, worktree],
    ...['--ro-bind', dotGit, dotGit],
    // A checkout that is lent in place may hold a home directory.
    ...mask(hiddenWithin(worktree, hidden)),
    // Last: the ways to what is mounted below were made in them.
    ...emptied.flatMap(path => ['--remount-ro', path]),
    ...Object.entries(leadTemporary(confines.environment, '/tmp')).flatMap(([name, value]) =>
      value === null ? ['--unsetenv', name] : ['--setenv', name, value],
    ),
    ...['--chdir', workingDirectory, '--'],
  ]
}

/** Outermost first, so that none covers what lies in it. */
function ownArguments(
  own: OwnPlaces,
  loose: readonly Loosened[],
  hidden: Hidden,
): readonly string[] {
  const mounts = [
    ...loose.map(one => ({ path: one.path, args: looseArguments(one, hidden) })),
    ...layOut(own).map(({ path, isWritable }) => ({
      path,
      args: [isWritable ? '--bind' : '--ro-bind', path, path],
    })),
  ]
  return mounts.sort((a, b) => a.path.length - b.path.length).flatMap(({ args }) => args)
}

/** An empty directory, and in it what was there, still only readable, but for what is hidden. */
function looseArguments({ path, entries }: Loosened, hidden: Hidden): readonly string[] {
  const isHidden = (place: string) =>
    [...hidden.directories, ...hidden.files].some(one => isWithin(place, one))
  return [
    ...['--tmpfs', path],
    ...entries
      .filter(({ source }) => !isHidden(source))
      .flatMap(entry => ['--ro-bind', entry.source, entry.path]),
  ]
}
