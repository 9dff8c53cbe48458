/** What a hook answers Claude Code, as it wants it on stdout; undefined: nothing. */
export type Reply = Readonly<Record<string, unknown>> | undefined

/** Of a hook that ran beside the session: it is woken, and reads this. */
export class Wake {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Claude Code cuts what is longer than 10,000 characters. */
const MOST_SAID = 9_500

/** The prompt goes no further: the user reads this in its place, and no model is asked. */
export const answerUser = (text: string): Reply => ({ decision: 'block', reason: text })

/** The model reads this beside what it is told anyway. */
export function addContext(event: string, text: string): Reply {
  return { hookSpecificOutput: { hookEventName: event, additionalContext: text } }
}

/** The tool is called so, and nobody is asked. */
export function allow(input: Readonly<Record<string, unknown>>, additionalContext?: string): Reply {
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: 'allow',
      updatedInput: input,
      ...(additionalContext === undefined ? {} : { additionalContext }),
    },
  }
}

/** The tool is not called; the model reads why. */
export function deny(why: string): Reply {
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: 'deny',
      permissionDecisionReason: why,
    },
  }
}

/** As much of a text as gets through whole, and where the rest is. */
export function cut(text: string, rest: string): string {
  if (text.length <= MOST_SAID) return text
  return `${text.slice(0, MOST_SAID)}\n[cut here; the whole: ${rest}]`
}
