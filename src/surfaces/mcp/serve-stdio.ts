import { randomUUID } from 'node:crypto'
import type { Premises } from './make-call.ts'
import { makeServer } from './make-server.ts'
import { serveStdio } from './sdk.ts'

/**
 * Serves the one client that started us, until it closes our stdin, or `ended` is aborted. stdout is
 * the protocol's alone.
 */
export async function serveOverStdio(
  premises: Omit<Premises, 'session'>,
  version: string,
): Promise<void> {
  // Claude Code says which session it is; of any other, this connection is all that tells it apart.
  const session = premises.environment.CLAUDE_CODE_SESSION_ID ?? randomUUID()
  const closed = Promise.withResolvers<void>()
  const handle = serveStdio(({ era }) => makeServer({ ...premises, session }, era, version), {
    onerror: error => premises.tell(`holdfast: ${error.message}`),
  })
  process.stdin.once('close', () => closed.resolve())
  process.stdin.once('end', () => closed.resolve())
  process.stdout.once('error', () => closed.resolve())
  premises.ended.addEventListener('abort', () => closed.resolve())
  await closed.promise
  await handle.close()
}
