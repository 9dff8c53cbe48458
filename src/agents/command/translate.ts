import type { Translator } from '../../ports/agent.ts'

/**
 * How much of stdout an answer may hold, in characters. It is written to the store at every look,
 * so it is bounded; the whole stays in the raw output.
 */
const ANSWER_LIMIT = 64 * 1024
/** What remains when the limit is passed: half, so that lines are cut rarely and not each anew. */
const ANSWER_KEPT = ANSWER_LIMIT / 2
/** How much of one line goes into the log. */
const LINE_KEPT = 4_000

/** The first line of an answer that was cut. */
export const CUT_NOTE = '[only the end of the output is kept here]'

/** Every line of stdout is output; there is no terminal event, only the exit status. */
export const commandTranslator: Translator = {
  initial: { session: null, answer: null, usage: null, turn: null },
  translate(state, line) {
    const answer = cutAnswer(state.answer === null ? line : `${state.answer}\n${line}`)
    return {
      state: { ...state, answer },
      events: [{ kind: 'output_given', text: line.slice(0, LINE_KEPT) }],
    }
  },
}

function cutAnswer(answer: string): string {
  if (answer.length <= ANSWER_LIMIT) return answer
  const end = answer.slice(-ANSWER_KEPT)
  const lineStart = end.indexOf('\n') + 1
  // From the start of a line; within a very long one, not from the middle of a character.
  return `${CUT_NOTE}\n${lineStart > 0 ? end.slice(lineStart) : end.replace(/^[\udc00-\udfff]/, '')}`
}
