/** Terminals that hand tasks in, several at once; some are killed before they are told the id. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dice } from './dice.ts'
import type { Place, Ran } from './place.ts'
import type { Tally } from './tally.ts'

/** What a program of `programs/` does, and how many of a hundred do it. */
const BEHAVIOURS = {
  ok: 14,
  slow: 12,
  crash: 10,
  fail: 6,
  hang: 5,
  deaf: 4,
  closed: 5,
  fork: 8,
  loud: 5,
  delete: 5,
  ignored: 6,
  commit: 6,
} as const
const CODEX_BEHAVIOURS = {
  ok: 3,
  slow: 3,
  crash: 4,
  torn: 2,
  unproven: 2,
  failed: 1,
  garbage: 2,
} as const
const CODEX_SHARE = 0.3
const DIES_SHARE = 0.05
/** A refusal may pass: the worktree is free again, the store is not busy. */
const PAUSE_MS = 200
const MOST_TRIES = 50

export interface Terminals {
  readonly place: Place
  readonly dice: Dice
  readonly tally: Tally
  /** What is wrong so far, in words. */
  readonly complaints: string[]
}

/** Hands `count` tasks in, spread over `overMs`, from `width` terminals. Gives their ids. */
export async function handIn(
  count: number,
  overMs: number,
  width: number,
  signal: AbortSignal,
  terminals: Terminals,
): Promise<readonly string[]> {
  const began = performance.now()
  const ids: string[] = []
  let begun = 0
  const terminal = async () => {
    for (let n = begun++; n < count && !signal.aborted; n = begun++) {
      const at = began + (overMs * n) / count
      await sleep(Math.max(0, at - performance.now()), undefined, { signal }).catch(() => undefined)
      const id = await handInOne(n, ids, terminals)
      if (id !== undefined) ids.push(id)
    }
  }
  await Promise.all(Array.from({ length: width }, terminal))
  return ids
}

async function handInOne(
  n: number,
  before: readonly string[],
  { place, dice, tally, complaints }: Terminals,
): Promise<string | undefined> {
  const words = chooseWords(n, before, dice, tally)
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const running = place.run(words.argv, place.repo, words.input)
    if (tries === 1 && dice.hits(DIES_SHARE)) killSoon(place, dice, tally)
    const ran = await running
    if (ran.code === 0) {
      tally.count('handed in')
      return ran.stdout.trim()
    }
    // It may have been written down all the same: under its key it stays one task.
    if (ran.code === null) continue
    if (!isRefusal(ran)) {
      complaints.push(`run ${words.argv.join(' ')}: exit ${ran.code}: ${ran.stderr}`)
      return undefined
    }
    tally.count('refused, and handed in otherwise')
    words.argv = words.argv.filter(
      word => !word.startsWith('--after=') && word !== '--worktree=common',
    )
    await sleep(PAUSE_MS)
  }
  complaints.push(`run ${words.argv.join(' ')}: not handed in after ${MOST_TRIES} tries`)
  return undefined
}

const isRefusal = ({ code, stderr }: Ran) =>
  code === 5 && /in use|put away|has used|already/.test(stderr)

function killSoon(place: Place, dice: Dice, tally: Tally): void {
  const child = [...place.commands].at(-1)
  setTimeout(
    () => {
      if (child?.kill('SIGKILL')) tally.count('kill: a command that hands in')
    },
    dice.between(20, 400),
  )
}

function chooseWords(n: number, before: readonly string[], dice: Dice, tally: Tally) {
  const flags = [`--idempotency-key=soak-${n}`, `--name=soak-${n}`]
  const other = dice.hits(0.15) ? dice.pick(before) : undefined
  if (other !== undefined) flags.push(`--after=${other}`)
  // One that stays has a state of its own.
  if (dice.hits(0.08)) flags.push('--worktree=common')
  else if (dice.hits(0.1)) flags.push('--changes=none')
  if (dice.hits(0.2)) flags.push(`--priority=${Math.round(dice.between(-5, 5))}`)
  if (dice.hits(CODEX_SHARE)) {
    const behaviour = dice.choose(CODEX_BEHAVIOURS)
    tally.count(`agent: codex, ${behaviour}`)
    return { argv: ['run', ...flags, 'codex', '-'], input: `behave: ${behaviour}\n` }
  }
  const behaviour = dice.choose(BEHAVIOURS)
  tally.count(`agent: ${behaviour}`)
  if (behaviour === 'hang' || behaviour === 'deaf') flags.push(`--timeout=${dice.pick([3, 6])}s`)
  if (dice.hits(0.7) || behaviour === 'crash') flags.push('--retry-on-crash')
  flags.push('--permissions=full')
  return { argv: ['run', ...flags, 'command', '--', 'agent.sh', behaviour], input: '' }
}
