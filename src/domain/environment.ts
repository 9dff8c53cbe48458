/**
 * Which of a caller's variables an agent gets: all, less those that say where the *caller* is. An
 * agent that inherits them takes itself for a part of the session that asked, or writes into the
 * wrong repository.
 */

/** The mark of an attempt's processes. Its name has no KEY, SECRET or TOKEN, which agents strip. */
export const MARK_VARIABLE = 'HOLDFAST_ATTEMPT'

/** The first of the ports that are a worktree's own. */
export const PORT_VARIABLE = 'HOLDFAST_PORT'

/** What of an agent's environment was laid over for it alone, and what was there before; JSON. */
const OUTER_VARIABLE = 'HOLDFAST_OUTER'

/** For tests: names the directory that arms crash points (`crash-here.ts`). Our own business. */
export const CRASH_POINTS_VARIABLE = 'HOLDFAST_CRASH_POINTS'

/** Set for a worker that a watchdog starts, and for nobody else. */
export const WATCHED_VARIABLE = 'HOLDFAST_WATCHED'

/** Variables of Claude Code that hold the user's choices, not the caller session's state. */
const CLAUDE_CHOICES =
  /^CLAUDE_CODE_(?:API_|ATTRIBUTION_|AUTO_COMPACT_|AWS_|CERT_|CLIENT_|CUSTOM_|DISABLE_|EFFORT_LEVEL|ENABLE_|EXTRA_|FORCE_|MAX_|OAUTH_|OTEL_|PROXY_|SKIP_|SUBAGENT_|USE_)/

/** Numbers of open files of the caller's, which an agent does not get. */
const DESCRIPTOR = /_FILE_DESCRIPTOR$/

const DROPPED = new Set([
  MARK_VARIABLE,
  WATCHED_VARIABLE,
  // The name that our own gits bear.
  'HOLDFAST_GIT',
  // Those are the ports of a task that delegates.
  PORT_VARIABLE,
  '_',
  'OLDPWD',
  'PWD',
  'SHLVL',
  'CLAUDECODE',
  'CLAUDE_PID',
  'CLAUDE_EFFORT',
  'CLAUDE_ENV_FILE',
  'AI_AGENT',
  'CODEX_THREAD_ID',
  'CODEX_SESSION_ID',
  'CODEX_TOOL_CALL_ID',
  'CODEX_CI',
  // Who wrote to OpenClaw's agent, and where.
  'OPENCLAW_CHANNEL_CONTEXT',
  // All that `git rev-parse --local-env-vars` lists: git sets them for a hook or an alias.
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_CONFIG',
  'GIT_CONFIG_PARAMETERS',
  'GIT_CONFIG_COUNT',
  'GIT_OBJECT_DIRECTORY',
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_GRAFT_FILE',
  'GIT_INDEX_FILE',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_REPLACE_REF_BASE',
  'GIT_PREFIX',
  'GIT_SHALLOW_FILE',
  'GIT_COMMON_DIR',
  // And two that it does not list.
  'GIT_QUARANTINE_PATH',
  'GIT_NAMESPACE',
])

/** What `GIT_CONFIG_COUNT` counts. */
const GIT_CONFIG_ENTRY = /^GIT_CONFIG_(?:KEY|VALUE)_\d+$/

function belongsToCaller(name: string): boolean {
  if (DROPPED.has(name) || name === CRASH_POINTS_VARIABLE) return true
  if (name.startsWith('CODEX_SANDBOX') || GIT_CONFIG_ENTRY.test(name)) return true
  if (!name.startsWith('CLAUDE_CODE_')) return false
  return !CLAUDE_CHOICES.test(name) || DESCRIPTOR.test(name)
}

type Variables = Readonly<Record<string, string | undefined>>

/** The environment for an agent, from the caller's. */
export function agentEnvironment(caller: Variables): Record<string, string> {
  return pick(caller, name => !belongsToCaller(name))
}

/** Lays variables over an agent's environment; `outerEnvironment` takes them off again. */
export function overlay(
  environment: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const before = Object.keys(variables).map(name => [name, environment[name] ?? null])
  const outer = JSON.stringify(Object.fromEntries(before))
  return { ...environment, ...variables, [OUTER_VARIABLE]: outer }
}

/**
 * Of whoever was started by an agent, the environment as it was before something was laid over it:
 * what is that agent's alone is not for the tasks that it hands in.
 */
export function outerEnvironment(inner: Variables): Variables {
  const { [OUTER_VARIABLE]: outer, ...rest } = inner
  if (outer === undefined) return inner
  try {
    const before: Readonly<Record<string, string | null>> = JSON.parse(outer)
    const taken = Object.entries(before).map(([name, value]) => [name, value ?? undefined])
    return { ...rest, ...Object.fromEntries(taken) }
  } catch {
    return rest // It is none of ours: there is nothing to take off.
  }
}

/** What says which OpenClaw of the user's is meant, and how it is reached; no secrets. */
const OPENCLAW_NAMES = new Set([
  'OPENCLAW_HOME',
  'OPENCLAW_STATE_DIR',
  'OPENCLAW_CONFIG_PATH',
  'OPENCLAW_PROFILE',
  'OPENCLAW_GATEWAY_PORT',
])

/** Of whoever asks to be told by it: the worker is started by somebody else, and somewhere else. */
export function openclawEnvironment(
  caller: Variables,
  absolute: (path: string) => string,
): Record<string, string> {
  const taken = pick(caller, name => OPENCLAW_NAMES.has(name))
  return Object.fromEntries(
    Object.entries(taken).map(([name, value]) => [
      name,
      /_(?:HOME|DIR|PATH)$/.test(name) && !value.startsWith('~') ? absolute(value) : value,
    ]),
  )
}

const WORKER_NAMES = new Set(['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TMPDIR', 'TZ'])

/** The environment for the worker: what any program needs, and ours; no secrets, and no mark. */
export function workerEnvironment(caller: Variables): Record<string, string> {
  return pick(
    caller,
    name =>
      WORKER_NAMES.has(name) ||
      name.startsWith('LC_') ||
      name.startsWith('XDG_') ||
      (name.startsWith('HOLDFAST_') && !DROPPED.has(name)),
  )
}

/** The environment for a clean-up: what any program needs. The task's own is forgotten by then. */
export function cleanUpEnvironment(caller: Variables): Record<string, string> {
  return pick(
    caller,
    name => WORKER_NAMES.has(name) || name.startsWith('LC_') || name.startsWith('XDG_'),
  )
}

/**
 * Of a PATH, the directories whose programs are not an agent's: no relative one, which is another
 * directory wherever a program stands, and none in a directory that agents write to.
 */
export function trustedPath(path: string, written: readonly string[]): string {
  const isWritten = (entry: string) =>
    written.some(directory => `${entry}/`.startsWith(`${directory}/`))
  return path
    .split(':')
    .filter(entry => entry.startsWith('/') && !isWritten(entry))
    .join(':')
}

function pick(from: Variables, wanted: (name: string) => boolean): Record<string, string> {
  const picked: Record<string, string> = {}
  for (const [name, value] of Object.entries(from)) {
    if (value !== undefined && wanted(name)) picked[name] = value
  }
  return picked
}
