/** A house in which the real Codex talks to a scripted model. */
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import type { Choose, Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { House } from '../end-to-end/house.ts'

export const codex = await ensureAgent('codex')
const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

export interface ModelHouseOptions {
  /** Asked first; where it gives nothing, the turns are. */
  readonly choose?: Choose
  readonly environment?: Readonly<Record<string, string>>
  /** Where the house stands; by default in the temporary directory, to which Codex lets write. */
  readonly parent?: string
}

export async function houseWithModel(
  turns: readonly Turn[],
  { choose, environment, parent }: ModelHouseOptions = {},
): Promise<{ house: House; model: ScriptedModel }> {
  const model = await startScriptedModel({ turns, ...(choose && { choose }) })
  models.push(model)
  const house = new House(environment, parent)
  Object.assign(house.environment, await writeCodexHome(join(house.scratch, 'codex'), model.url), {
    PATH: `${dirname(codex.bin)}:${house.environment.PATH}`,
  })
  return { house, model }
}

/** The bodies of all requests to the model, as text. */
export const heard = (model: ScriptedModel) =>
  model.requests
    .filter(({ conversation }) => conversation !== null)
    .map(({ body }) => JSON.stringify(body))
