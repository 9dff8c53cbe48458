/** A house in which the real Codex talks to a scripted model. */
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import type { Choose, Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { turnsOf } from './turns.ts'

export const codex = await ensureAgent('codex')
const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

export interface ModelHouseOptions {
  /** Asked first; where it gives nothing, the turns are. */
  readonly choose?: Choose
  readonly environment?: Readonly<Record<string, string>>
}

export async function houseWithModel(
  turns: readonly Turn[],
  { choose, environment }: ModelHouseOptions = {},
): Promise<{ house: House; model: ScriptedModel }> {
  const model = await startScriptedModel({ turns, ...(choose && { choose }) })
  models.push(model)
  // Codex lets write to the temporary directory, and puts no helper programs there: with a
  // bubblewrap on the PATH that knows no --argv0 (before 0.9), it then runs no command at all.
  const house = new House(environment, visibleParent())
  Object.assign(house.environment, await writeCodexHome(join(house.scratch, 'codex'), model.url), {
    PATH: `${dirname(codex.bin)}:${house.environment.PATH}`,
    HOLDFAST_TALK: environment?.HOLDFAST_TALK ?? 'dialogue',
  })
  return { house, model }
}

/** The bodies of the requests of turns, as text. */
export const heard = (model: ScriptedModel) =>
  turnsOf(model).map(({ body }) => JSON.stringify(body))
