/** Who is told of a task: whom a flag or the user's configuration names, and who is by default. */
import { isAbsolute, resolve } from 'node:path'
import type { Configuration } from '../domain/configuration.ts'
import { mergeSubscriptions, type Subscription } from '../domain/delivery.ts'
import { openclawEnvironment } from '../domain/environment.ts'
import { AppError } from '../domain/errors.ts'
import type { Subscriber } from '../domain/notice.ts'
import { parseTarget, TARGETS, type Target } from '../domain/notify-target.ts'
import type { Caller } from '../domain/task.ts'
import type { CallerTokens } from '../ports/caller-tokens.ts'
import { isTerminal } from './terminal.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Where Claude Code says how its session is written to (since 2.1.224). */
const SOCKET_VARIABLE = 'CLAUDE_CODE_MESSAGING_SOCKET'
const SESSION_VARIABLE = 'CLAUDE_CODE_SESSION_ID'
const TOKEN_VARIABLE = 'CLAUDE_CODE_MESSAGING_TOKEN'

/** The flags come over the configuration; who is told by default is so besides, unless one is `none`. */
export function chooseSubscriptions(
  flags: readonly string[] | undefined,
  { user }: Configuration,
  {
    directory,
    environment,
    defaults,
  }: {
    readonly directory: string
    readonly environment: Variables
    readonly defaults: readonly Subscription[]
  },
): readonly Subscription[] {
  const settings = {
    webhook: { keyFile: user.webhookKeyFile ?? null, mayBePrivate: user.webhookPrivate ?? false },
    openclaw: openclawEnvironment(environment, path => resolve(directory, path)),
  }
  const targets =
    flags === undefined
      ? (user.notify ?? []).map(text => {
          const absolute = (path: string) => (isAbsolute(path) ? path : null)
          return requireTarget(parseTarget(text, absolute, settings), text, 'configuration')
        })
      : flags.map(text =>
          requireTarget(
            parseTarget(text, path => resolve(directory, path), settings),
            text,
            'flag',
          ),
        )
  const named = targets.flatMap(to => (to === 'none' ? [] : [{ to, isNamed: true }]))
  return mergeSubscriptions(targets.includes('none') ? named : [...named, ...defaults])
}

function requireTarget(
  target: Target,
  text: string,
  from: 'flag' | 'configuration',
): Subscriber | 'none' {
  if (target === 'none') return target
  if ('to' in target) return target.to
  const hint = `for example: ${TARGETS}`
  if (from === 'flag') {
    throw new AppError('bad_usage', `--notify ${text}: ${target.problem}`, { hint })
  }
  const where = 'config.json in the state directory: notify'
  throw new AppError('bad_configuration', `${where}: "${text}": ${target.problem}`, { hint })
}

/**
 * A session of Claude Code that asks is woken; who asks at a terminal sees it on the desktop. Who
 * waits for the task has its end from there, unless that wait is broken off.
 */
export async function defaultSubscriptions(
  caller: Caller,
  environment: Variables,
  isAwaited: boolean,
  holdfast: {
    callerTokens(): Promise<CallerTokens>
    hasDesktop(): Promise<boolean>
  },
): Promise<readonly Subscription[]> {
  const byDefault = { isNamed: false, ...(isAwaited ? { givesWay: true } : {}) }
  const socket = environment[SOCKET_VARIABLE]
  const isClaude = caller.kind === 'claude' || caller.kind === 'mcp'
  if (isClaude && socket !== undefined && isAbsolute(socket)) {
    const tokens = await holdfast.callerTokens()
    const tokenFile = environment[TOKEN_VARIABLE] ? tokens.pathOf(socket) : null
    const session = environment[SESSION_VARIABLE] ?? null
    const to = { kind: 'claude', session, socket, tokenFile } as const
    return [{ to, ...byDefault }]
  }
  if (caller.kind === 'terminal' && isTerminal(2) && (await holdfast.hasDesktop())) {
    return [{ to: { kind: 'desktop' }, ...byDefault }]
  }
  return []
}

/** What lets us write to the caller session; it stands nowhere but in its private file. */
export async function keepToken(
  notify: readonly Subscription[],
  environment: Variables,
  holdfast: { callerTokens(): Promise<CallerTokens> },
): Promise<void> {
  const token = environment[TOKEN_VARIABLE]
  for (const { to } of notify) {
    if (to.kind !== 'claude' || to.tokenFile === null || token === undefined) continue
    // One that was handed on from another session is not ours to write.
    if (to.socket !== environment[SOCKET_VARIABLE]) continue
    await (await holdfast.callerTokens()).keep(to.tokenFile, token)
  }
}
