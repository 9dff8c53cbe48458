/** The columns of the matrix. */
export const caseNames = [
  'success',
  'model error',
  'server error',
  'usage limit',
  'kill -9',
  'cancel',
  'deleted worktree',
  'denied permission',
  'denied by a rule',
  'silent hang',
] as const

export type CaseName = (typeof caseNames)[number]

/** What is done to the agent, and what has to be so afterwards whatever the cell says. */
export const aboutCases: Readonly<Record<CaseName, string>> = {
  success:
    'it changes a file and says so. Its answer and its change arrive byte for byte, and the checkout that it was started from stays as it was.',
  'model error': 'the model refuses each request with HTTP 400. One attempt, and it is given up.',
  'server error':
    'after its first words the model answers with HTTP 500 until the agent is told that it was interrupted. The second attempt goes on in the same session, with its history.',
  'usage limit':
    'the account is used up. The task waits until what the agent says of the reset, or for `holdfast resume` where that is far away.',
  'kill -9':
    'in the middle of a command the agent and all that stands in its worktree is killed. The second attempt goes on in the same session, with its history and its work.',
  cancel: 'in the middle of a command. Nothing runs any more, and what was done is kept.',
  'deleted worktree': 'in the middle of a command. One attempt, and nothing runs any more.',
  'denied permission':
    'with the permissions `workspace` it writes into its worktree, beside it, and into the home directory.',
  'denied by a rule':
    'the user’s own settings of the agent forbid a command. *Told*: it stands under `refused` in `holdfast result --json`.',
  'silent hang':
    'after its first words the model says nothing any more. With `--stall` it is interrupted, and goes on in the same session, with its history.',
}
