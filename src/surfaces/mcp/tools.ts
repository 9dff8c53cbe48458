/** Every tool, in the order in which clients show them. */
import type { Tool } from './tool.ts'
import { answer } from './tools/answer.ts'
import { apply } from './tools/apply.ts'
import { cancel } from './tools/cancel.ts'
import { delegate } from './tools/delegate.ts'
import { diff } from './tools/diff.ts'
import { inbox } from './tools/inbox.ts'
import { result } from './tools/result.ts'
import { review } from './tools/review.ts'
import { send } from './tools/send.ts'
import { status } from './tools/status.ts'
import { wait } from './tools/wait.ts'

export const tools: readonly Tool[] = [
  delegate,
  review,
  status,
  wait,
  result,
  diff,
  apply,
  send,
  answer,
  cancel,
  inbox,
]
