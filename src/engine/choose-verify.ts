/** What looks at a task's work: what whoever asks names, or else its repository, once that is trusted. */
import { AppError } from '../domain/errors.ts'
import type { Permissions } from '../domain/permissions.ts'
import type { Verify } from '../domain/verify.ts'
import type { FoundCommand, Trust } from '../ports/trust.ts'
import type { Submission } from './submit.ts'
import { readBy } from './trusted-command.ts'

/** What a caller says of it. */
export interface VerifyWish {
  /** Null: whatever the repository names. */
  readonly argv: readonly string[] | null
  /** Null: as it is set. */
  readonly limitMs: number | null
}

/**
 * `repository`: its common git directory. Refuses a limit, and nothing that it would be for; and what
 * the repository names, where that cannot be read.
 */
export function chooseVerify(
  submission: Submission,
  permissions: Permissions,
  repository: string,
  trust: Trust,
): Verify | null {
  const wish = submission.verify ?? null
  if (wish === null) return null
  const { argv, limitMs } = wish
  const { commands, limits } = submission.setUp
  if (argv !== null) return { argv, limitMs: limitMs ?? limits.verify }
  const found = isWork(submission, permissions) ? commands.verify : undefined
  if (found === undefined) {
    if (limitMs === null) return null
    throw new AppError('bad_usage', 'a time limit, and nothing that verifies', {
      hint: "for example --verify 'npm test'",
    })
  }
  if (found instanceof AppError) throw found
  const { digest } = found
  return {
    argv: fromTheTop(found),
    limitMs: limitMs ?? limits.verify,
    named: { digest, trusted: trust.isTrusted(repository, digest) },
  }
}

/** The same for a task that is handed in again: what its user has said of it since counts. */
export function trustAnew(verify: Verify | null, repository: string, trust: Trust): Verify | null {
  if (verify?.named === undefined) return verify
  const { digest } = verify.named
  return { ...verify, named: { digest, trusted: trust.isTrusted(repository, digest) } }
}

/** A command, a review, and what may change nothing leave nothing behind that a project would check. */
function isWork({ agent, review, opened }: Submission, { effective }: Permissions): boolean {
  const isAgents = agent.capabilities.takesPrompt && opened === undefined
  return isAgents && review === undefined && effective !== 'read-only'
}

/** A script need not be executable, nor stand in a directory. */
function fromTheTop({ argv, scripts }: FoundCommand): readonly string[] {
  const [program = '', ...rest] = argv
  const script = scripts.find(({ path }) => path === program)
  if (script === undefined) return argv
  return [...readBy(script.bytes), program.includes('/') ? program : `./${program}`, ...rest]
}
