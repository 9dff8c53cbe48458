/**
 * The profile of Seatbelt (`sandbox-exec`) that holds an agent within its confines. Pure. Of two
 * rules that fit, the later one holds.
 *
 * There are no mounts here: a hidden file is one that cannot be opened, `/tmp` is the one of
 * everybody and cannot be written, and the agent is led to a directory of its own by `TMPDIR`.
 */
import type { LooseDirectory } from '../../ports/agent.ts'
import type { Confines } from '../../ports/confinement.ts'
import { layOut } from '../confinement/confinement.ts'
import { type Hidden, hiddenWithin, isWithin } from '../confinement/hidden.ts'

/** Devices that every program writes to. */
const DEVICES = ['null', 'zero', 'random', 'urandom', 'stdout', 'stderr', 'tty', 'dtracehelper']

/** One that serves itself, as tests do, and reaches nobody else. */
const LOOPBACK_ALONE = [
  '(deny network*)',
  '(allow network-bind (local ip "localhost:*"))',
  '(allow network-inbound (local ip "localhost:*"))',
  '(allow network-outbound (remote ip "localhost:*"))',
]

/** All paths are real ones, since the system compares with those. */
export function seatbeltProfile(
  { mode, worktree, commonDir, program, scratch, own, network }: Confines,
  hidden: Hidden,
): string {
  const dotGit = `${worktree}/.git`
  return [
    '(version 1)',
    '(allow default)',
    // Processes outside of it: not to be signalled, nor looked into.
    '(deny signal)',
    '(allow signal (target same-sandbox))',
    '(deny mach-priv-task-port)',
    // Other programs, asked to open or run something, would do it outside.
    '(deny appleevent-send)',
    '(deny lsopen)',
    ...(network === 'none' ? LOOPBACK_ALONE : []),
    '(deny file-write*)',
    ...DEVICES.map(name => `(allow file-write* (literal ${quoted(`/dev/${name}`)}))`),
    '(allow file-write* (regex #"^/dev/fd/") (regex #"^/dev/ttys[0-9]+$"))',
    ...denials(hidden),
    // After what is hidden: these may lie in it.
    `(allow file-write* (subpath ${quoted(scratch)}))`,
    ...[worktree, commonDir, scratch].map(path => `(allow file-read* (subpath ${quoted(path)}))`),
    `(allow file-read* (literal ${quoted(program)}))`,
    // A plain file is a subpath of itself.
    ...(own.loose ?? []).flatMap(looseRules),
    ...layOut(own).flatMap(place => placeRules(place, own.writable)),
    ...(mode === 'workspace' ? [`(allow file-write* (subpath ${quoted(worktree)}))`] : []),
    // A checkout that is lent in place may hold a home directory.
    ...denials(hiddenWithin(worktree, hidden)),
    `(deny file-write* (subpath ${quoted(dotGit)}))`,
    `(deny file-write* (subpath ${quoted(commonDir)}))`,
    '',
  ].join('\n')
}

function placeRules(
  { path, isWritable }: { readonly path: string; readonly isWritable: boolean },
  writable: readonly string[],
): readonly string[] {
  const read = `(allow file-read* (subpath ${quoted(path)}))`
  if (isWritable) return [read, `(allow file-write* (subpath ${quoted(path)}))`]
  return writable.some(one => isWithin(path, one))
    ? [read, `(deny file-write* (subpath ${quoted(path)}))`]
    : [read]
}

function looseRules({ path, locks, anew = [] }: LooseDirectory): readonly string[] {
  return [...locks, ...anew].map(
    name => `(allow file-write* (subpath ${quoted(`${path}/${name}`)}))`,
  )
}

function denials({ directories, files }: Hidden): readonly string[] {
  return [
    ...directories.map(path => deny(`(subpath ${quoted(path)})`)),
    ...files.map(path => deny(`(literal ${quoted(path)})`)),
  ]
}

/** Neither read nor connected to. */
function deny(path: string): string {
  return `(deny file-read* file-write* network-outbound ${path})`
}

/** A string of the profile's language, which knows these two escapes. */
function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}
