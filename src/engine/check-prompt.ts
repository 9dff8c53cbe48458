import { AppError } from '../domain/errors.ts'
import type { Agent } from '../ports/agent.ts'

/** Refuses with `bad_prompt` what no agent, or not this one, could take. */
export function checkPrompt(prompt: Uint8Array, { name, capabilities }: Agent): void {
  const nul = prompt.indexOf(0)
  if (nul >= 0) {
    throw new AppError('bad_prompt', `the prompt has a NUL byte at offset ${nul}`, {
      hint: 'agents take text: remove the byte, or name a file in the prompt instead',
    })
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(prompt)
  } catch (cause) {
    throw new AppError('bad_prompt', 'the prompt is not valid UTF-8', {
      hint: 'convert it first, for example with: iconv -f latin1 -t utf-8',
      cause,
    })
  }
  if (text.trim() === '') {
    throw new AppError('bad_prompt', 'the prompt is empty', {
      hint: 'say what is to be done: in quotes, with --prompt-file F, or on stdin',
    })
  }
  const { promptLimit } = capabilities
  // A character is at least one byte: only a long prompt needs to be counted.
  if (promptLimit !== null && prompt.length > promptLimit) {
    const characters = [...text].length
    if (characters > promptLimit) {
      throw new AppError(
        'bad_prompt',
        `the prompt has ${characters} characters; ${name} takes at most ${promptLimit}`,
        { hint: 'put the long part into a file of the repository, and name it in the prompt' },
      )
    }
  }
}
