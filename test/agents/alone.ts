/**
 * Runs a real agent by itself, without Holdfast, against the scripted model: what it can do when
 * nobody is in its way. Everything lies in the cache, as no agent's home may be below `/tmp`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, expect } from 'vitest'
import type { Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { visibleScratch } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { processesOf } from '../processes-of.ts'
import { turnsOf } from './turns.ts'

const models: ScriptedModel[] = []
const roots: string[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
  for (const root of roots.splice(0)) {
    await eventually('no process of the agent is left', () => processesOf(root).length === 0)
  }
})

/** Where one agent works in one test. */
export interface Scene {
  readonly model: ScriptedModel
  /** For the agent's configuration. */
  readonly home: string
  readonly workspace: string
  /** Without anything that points the agent at the model. */
  readonly environment: Readonly<Record<string, string>>
}

export async function setScene(turns: readonly Turn[]): Promise<Scene> {
  const root = visibleScratch()
  roots.push(root)
  const model = await startScriptedModel({ turns })
  models.push(model)
  const workspace = join(root, 'workspace')
  execFileSync('git', ['init', '-q', workspace])
  mkdirSync(join(root, 'user'))
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
  const environment = { PATH, HOME: join(root, 'user'), TERM: 'xterm-256color' }
  return { model, home: join(root, 'home'), workspace, environment }
}

export interface Ended {
  readonly code: number | null
  /** What it said on stdout, a JSON object a line. */
  readonly said: readonly Said[]
  readonly stderr: string
}

export type Said = Readonly<Record<string, unknown>> & { readonly type: string }

/** Runs a program to its end; its stdin is empty, as some agents wait for its end. */
export async function runAlone(
  scene: Scene,
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: scene.workspace,
    env: { ...scene.environment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const lines = stdout.split('\n').filter(line => line !== '')
  return { code, said: lines.map(line => JSON.parse(line) as Said), stderr }
}

/** What the file holds that the agent was to make; undefined where it made none. */
export function made({ workspace }: Scene): string | undefined {
  const path = join(workspace, 'made.txt')
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/** The model was asked twice by a turn, and heard the prompt and the command's result. */
export function expectTwoTurns(model: ScriptedModel, prompt: string): void {
  const turns = turnsOf(model)
  expect(turns).toHaveLength(2)
  const { userTexts = [], resultsAfter = [] } = turns.at(-1)?.conversation ?? {}
  const place = userTexts.findLastIndex(text => text.includes(prompt))
  expect([place >= 0, resultsAfter[place]]).toEqual([true, 1])
}
