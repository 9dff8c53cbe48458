/** The columns of the matrix. */
export const caseNames = [
  'success',
  'model error',
  'usage limit',
  'kill -9',
  'cancel',
  'deleted worktree',
  'denied permission',
  'silent hang',
] as const

export type CaseName = (typeof caseNames)[number]
