/**
 * The wrapper: the few lines of `sh` that hold an agent process. It knows no database and makes no
 * decision; what it reads and writes is in `docs/reference/run-directory.md`. Any POSIX shell will
 * do: dash, bash and busybox are tested. No variable is set before the agent has ended, because
 * one that came with the environment would reach the agent changed.
 */

import { type ControlGroups, type Scope, showFile, showLimit } from './scopes.ts'

/** What the wrapper is made of on this machine. */
export interface WrapperTools {
  /** A POSIX shell: an absolute path. */
  readonly shell: string
  /** Where `sync`, `mv`, `mkfifo`, `rm` and `tail` are found, in the form of PATH. */
  readonly toolPath: string
  /** `ProcessTable.shellIdentify` */
  readonly identify: string
}

/**
 * Becomes the agent, in the same process, after the set-up if there is one: $1 is the run
 * directory, the rest the agent's argv. It looks whether it still may *after* it has written itself
 * down: whoever forbids it looks in the other order, so that one of the two sees the other.
 */
const agentShell = (identify: string) => `${identify}
[ ! -e "$1/set-up" ] || . "$1/set-up"
identify >"$1/pid" || exit 125
if [ -e "$1/void" ]; then : >"$1/pid"; exit 125; fi
shift
exec "$@"`

/**
 * Becomes what is put around the agent, after the set-up (around which it is put by itself): $1 is
 * the run directory, the rest its argv and then the command that starts `ENCLOSED_SHELL`. Inside,
 * neither directory nor pids are those of here: the identity goes along as an open file. It looks
 * for `void` in the same order as the one above.
 */
const enclosingShell = (identify: string) => `${identify}
[ ! -e "$1/set-up" ] || . "$1/set-up"
identify >"$1/holder" || exit 125
if [ -e "$1/void" ]; then exit 125; fi
exec 3>"$1/pid" 4<"$1/holder"
shift
exec "$@"`

/** Becomes the agent, once all that is put around it holds. */
const ENCLOSED_SHELL = `read -r HOLDFAST_HOLDER <&4 && echo "$HOLDFAST_HOLDER" >&3 || exit 125
unset HOLDFAST_HOLDER
exec 3>&- 4<&-
exec "$@"`

/**
 * Becomes systemd-run, which becomes the wrapper in a scope: $1 is the run directory, the rest that
 * command. The process is the same from here on, so it writes itself down as the wrapper, and its
 * death says that there was no scope to be had.
 */
const scopeShell = (identify: string) => `${identify}
identify >"$1/wrapper" || exit 125
exec 2>"$1/scope.log"
shift
exec "$@"`

/** The command that holds an agent in a scope. */
export function scopedArgv(
  { shell, identify }: WrapperTools,
  scope: Pick<Scope, 'argv'>,
  runDirectory: string,
  hold: readonly string[],
): [string, ...string[]] {
  const become = [shell, '-c', scopeShell(identify), 'holdfast-scope', runDirectory] as const
  return [...become, ...scope.argv, ...hold]
}

/** In which control group it stands, and how much memory that may use. */
const noteGroup = (groups: ControlGroups) =>
  `(PATH=$3; cat ${groups.own}; ${showLimit(groups)}) >"$1/cgroup" 2>/dev/null`

/** Before the group is gone, which is right after the wrapper. */
const noteKills = ({ root }: ControlGroups) =>
  `(${showFile('$1/cgroup', root, 'memory.events')}) >"$1/memory.events" 2>/dev/null`

/** Runs an agent that reads its stdin to the end. */
const READ = 'agent "$@" <"$1/stdin" >>"$1/stdout" 2>>"$1/stderr"'

/** Runs a program at the terminal at which it was opened. */
const AT_TERMINAL = 'agent "$@"'

/**
 * Runs an agent that is talked to: a pump hands over whatever is appended to `stdin`.
 *
 * - Between the two is a pipe without a name: neither waits for the other to open it, so that none
 *   of them hangs where another was killed.
 * - Nobody but the pump keeps the end that is written to: if it dies, the agent sees the end of its
 *   stdin. An agent that does not read holds up the pump, and nobody else.
 * - The pump ignores what is meant for the agent. GNU's `tail` notices that nobody reads any more;
 *   others are ended here.
 * - `-s` is for GNU and busybox where they have to look at the file again and again, which they
 *   would do once a second.
 */
const TALK = `(PATH=$3; umask 077; exec mkfifo "$1/pipe") && {
    (PATH=$3; exec rm -f "$1/pipe")
    (
      trap '' HUP INT QUIT TERM
      PATH=$3
      cd /
      if tail -s 0.1 -c 1 /dev/null; then exec tail -s 0.1 -c +1 -f "$1/stdin"; fi
      exec tail -c +1 -f "$1/stdin"
    ) >&6 5>&- 6>&- 7<&- 2>/dev/null &
    exec 5>&- 6>&-
    agent "$@" <&7 7<&- >>"$1/stdout" 2>>"$1/stderr"
  } 5<>"$1/pipe" 6>"$1/pipe" 7<"$1/pipe"`

/** Where its stdin comes from: a file, a dialogue, or a terminal, which takes its output too. */
export type Input = 'read' | 'talk' | 'terminal'

const INPUTS: Readonly<Record<Input, string>> = { read: READ, talk: TALK, terminal: AT_TERMINAL }

/**
 * $1 the run directory, $2 the working directory, $3 where our own tools are found; the rest is
 * the command that starts `agentShell`.
 *
 * - SIGHUP and the like are caught, not ignored: ignoring is inherited, catching is not.
 * - The agent runs in the foreground: dash makes `cmd &` ignore SIGINT.
 * - Where the disk is full, the last word waits for an hour until there is room for it.
 * - The last act is `exec mv`: once `exit.json` stands, this process has nothing left to do.
 */
const wrapper = (identify: string, input: Input, groups: ControlGroups | null) => `set +eu
trap : HUP INT QUIT TERM
${identify}
agent() { shift 3; "$@"; }
identify >"$1/wrapper"
${groups === null ? ':' : noteGroup(groups)}
if cd "$2"; then
  unset OLDPWD
  ${INPUTS[input]}
  status=$?
  ${input === 'talk' ? 'kill -9 "$!"' : ':'}
  if [ -s "$1/pid" ]; then ending="\\"status\\":$status"; else ending='"failure":"start"'; fi
else
  ending='"failure":"cwd"'
fi
PATH=$3
${groups === null ? ':' : noteKills(groups)}
umask 077
tries=0
until echo "{$ending}" >"$1/exit.json.new"; do
  [ -d "$1" ] && [ "$tries" -lt 3600 ] || exit 1
  tries=$((tries + 1))
  sleep 1
done
sync "$1/exit.json.new" || sync
exec mv -f "$1/exit.json.new" "$1/exit.json"`

/** What the wrapper is to hold. All paths are absolute. */
export interface Held {
  readonly runDirectory: string
  readonly workingDirectory: string
  /** Passed on byte for byte. */
  readonly argv: readonly string[]
  /** What is put around the agent, if anything is. */
  readonly enclosure: readonly string[] | null
  /** With which the agent runs; null: as this process does. */
  readonly umask: number | null
  /** Where it is to have a control group of its own; null: it is not. */
  readonly groups: ControlGroups | null
  readonly input: Input
}

/** The command that holds an agent. */
export function wrapperArgv(
  { shell, toolPath, identify }: WrapperTools,
  { runDirectory, workingDirectory, argv, enclosure, umask, groups, input }: Held,
): [string, ...string[]] {
  const places = [runDirectory, workingDirectory, toolPath]
  const script = wrapper(identify, input, groups)
  const hold = [shell, '-c', script, 'holdfast-wrapper', ...places] as const
  const become = (script: string) => [shell, '-c', script, 'holdfast-agent']
  const first = (script: string) =>
    become(umask === null ? script : `umask ${umask.toString(8).padStart(3, '0')}\n${script}`)
  if (enclosure === null) return [...hold, ...first(agentShell(identify)), runDirectory, ...argv]
  const enclosed = [...become(ENCLOSED_SHELL), ...argv]
  return [...hold, ...first(enclosingShell(identify)), runDirectory, ...enclosure, ...enclosed]
}
