import type { RecordedRequest } from '../../src/demo/scripted-model/script.ts'
import type { ScriptedModel } from '../../src/demo/scripted-model/server.ts'

/**
 * The requests of turns, oldest first. Agents ask for other things beside them, at any time: a title
 * of what they were told last, a list of models, whether anybody is there.
 */
export const turnsOf = ({ requests }: ScriptedModel): readonly RecordedRequest[] =>
  requests.filter(({ answer }) => typeof answer === 'object')
