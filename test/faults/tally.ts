/**
 * What kills came to, over several runs: a whole run may be played in pieces (`--into FILE`), as long as
 * it is the same program and the same matrix that are played. And what the last whole run came to.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Case, nameOf } from './plan.ts'
import { type LastRun, type Played, totalsOf } from './report.ts'

/** What is played, and what plays it. */
const PLAYED = ['bin', 'dist', 'skills', 'agent-plugin', '.agents', 'test/faults']
const LAST = fileURLToPath(new URL('last-whole-run.json', import.meta.url))

interface Line extends Omit<Played, 'one'> {
  readonly program: string
  readonly name: string
}

export class Tally {
  readonly #file: string
  readonly #program = hashOf(PLAYED)
  readonly #lines: Line[]

  constructor(file: string) {
    this.#file = file
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const all = text.split('\n').flatMap((line): Line[] => (isTorn(line) ? [] : [JSON.parse(line)]))
    this.#lines = all.filter(({ program }) => program === this.#program)
  }

  has(one: Case): boolean {
    return this.#lines.some(({ name }) => name === nameOf(one))
  }

  add({ one, ...rest }: Played): void {
    const line = { program: this.#program, name: nameOf(one), ...rest }
    this.#lines.push(line)
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  /** All that was played of these; undefined: not all of them were. One that fell once has fallen. */
  wholeOf(cases: readonly Case[]): readonly Played[] | undefined {
    const whole = cases.flatMap(one => {
      const lines = this.#lines.filter(({ name }) => name === nameOf(one))
      const worst = lines.find(({ survived }) => !survived) ?? lines[0]
      return worst === undefined ? [] : [{ one, ...worst }]
    })
    return whole.length === cases.length ? whole : undefined
  }
}

/** Whoever wrote it was killed over it: then that kill is played again. */
const isTorn = (line: string) => !line.endsWith('}')

/** Null: none was made. */
export function readLastWholeRun(): LastRun | null {
  return existsSync(LAST) ? JSON.parse(readFileSync(LAST, 'utf8')) : null
}

export function writeLastWholeRun(played: readonly Played[]): LastRun {
  const words = ['rev-parse', '--short=12', 'HEAD']
  const commit = execFileSync('git', words, { cwd: dirname(LAST), encoding: 'utf8' }).trim()
  const last = { commit, ...totalsOf(played) }
  writeFileSync(LAST, `${JSON.stringify(last, undefined, 2)}\n`)
  return last
}

function hashOf(places: readonly string[]): string {
  const hash = createHash('sha256')
  const root = fileURLToPath(new URL('../..', import.meta.url))
  for (const place of places) {
    for (const name of readdirSync(join(root, place), {
      recursive: true,
      encoding: 'utf8',
    }).sort()) {
      const path = join(root, place, name)
      if (path !== LAST && statSync(path).isFile())
        hash.update(`${place}/${name}\0`).update(readFileSync(path))
    }
  }
  return hash.digest('hex').slice(0, 16)
}
