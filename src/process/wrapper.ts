/**
 * The wrapper: the few lines of `sh` that hold an agent process. It knows no database and makes no
 * decision; what it reads and writes is in `docs/reference/run-directory.md`. Any POSIX shell will
 * do: dash, bash and busybox are tested. No variable is set before the agent has ended, because
 * one that came with the environment would reach the agent changed.
 */

/** What the wrapper is made of on this machine. */
export interface WrapperTools {
  /** A POSIX shell: an absolute path. */
  readonly shell: string
  /** Where `sync` and `mv` are found, in the form of PATH. */
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
 * $1 the run directory, $2 the working directory, $3 where our own tools are found; the rest is
 * the command that starts `agentShell`.
 *
 * - SIGHUP and the like are caught, not ignored: ignoring is inherited, catching is not.
 * - The agent runs in the foreground: dash makes `cmd &` ignore SIGINT.
 * - Where the disk is full, the last word waits for an hour until there is room for it.
 * - The last act is `exec mv`: once `exit.json` stands, this process has nothing left to do.
 */
const wrapper = (identify: string) => `set +eu
trap : HUP INT QUIT TERM
${identify}
agent() { shift 3; "$@"; }
identify >"$1/wrapper"
if cd "$2"; then
  unset OLDPWD
  agent "$@" <"$1/stdin" >>"$1/stdout" 2>>"$1/stderr"
  status=$?
  if [ -s "$1/pid" ]; then ending="\\"status\\":$status"; else ending='"failure":"start"'; fi
else
  ending='"failure":"cwd"'
fi
PATH=$3
umask 077
tries=0
until echo "{$ending}" >"$1/exit.json.new"; do
  [ -d "$1" ] && [ "$tries" -lt 3600 ] || exit 1
  tries=$((tries + 1))
  sleep 1
done
sync "$1/exit.json.new" || sync
exec mv -f "$1/exit.json.new" "$1/exit.json"`

/** The command that holds an agent. All paths are absolute; `argv` is passed on byte for byte. */
export function wrapperArgv(
  { shell, toolPath, identify }: WrapperTools,
  runDirectory: string,
  workingDirectory: string,
  argv: readonly string[],
  /** What is put around the agent, if anything is. */
  enclosure: readonly string[] | null,
  /** With which the agent runs; null: as this process does. */
  umask: number | null = null,
): [string, ...string[]] {
  const places = [runDirectory, workingDirectory, toolPath]
  const hold = [shell, '-c', wrapper(identify), 'holdfast-wrapper', ...places] as const
  const become = (script: string) => [shell, '-c', script, 'holdfast-agent']
  const first = (script: string) =>
    become(umask === null ? script : `umask ${umask.toString(8).padStart(3, '0')}\n${script}`)
  if (enclosure === null) return [...hold, ...first(agentShell(identify)), runDirectory, ...argv]
  const enclosed = [...become(ENCLOSED_SHELL), ...argv]
  return [...hold, ...first(enclosingShell(identify)), runDirectory, ...enclosure, ...enclosed]
}
