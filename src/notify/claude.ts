/**
 * A live session of Claude Code, by its inbox: a Unix socket that takes lines of JSON, first the
 * token, if there is one, then a message. It answers nothing: accepted is what it has taken.
 */
import { lstat } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { getuid } from 'node:process'
import { type Channel, DeliveryError } from '../ports/notifier.ts'
import { makeMessage, textOf } from './message.ts'
import { readPrivateFile } from './private-file.ts'

/** A session that is busy takes it at once all the same. */
const LIMIT_MS = 10_000
/** Claude Code may leave its side open; one that closes it has read all. */
const CLOSE_MS = 300

/** What says that there is no session any more; it does not come back to this socket. */
const ENDED = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK']

export function makeClaudeChannel(): Channel<'claude'> {
  return {
    async send({ socket, tokenFile }, notices, signal) {
      await requireOwnSocket(socket)
      const token = tokenFile === null ? null : await readPrivateFile(tokenFile, 'the token in')
      const lines = token === null ? [] : [{ type: 'auth', token }]
      const content = textOf(makeMessage(notices))
      const message = { type: 'user', message: { role: 'user', content } }
      const text = [...lines, message].map(line => `${JSON.stringify(line)}\n`).join('')
      await post(socket, text, AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]))
    },
  }
}

/** Nobody else is shown the token. */
async function requireOwnSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(cause => {
    throw describe(cause)
  })
  if (!stats.isSocket()) throw new DeliveryError(`${path} is no socket`, true)
  if (stats.uid !== getuid?.()) {
    throw new DeliveryError(`the socket ${path} belongs to somebody else`, true)
  }
}

function post(path: string, text: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path, signal })
    let closing: NodeJS.Timeout | undefined
    let isTaken = false
    socket.on('error', error => reject(describe(error)))
    socket.on('close', () => {
      clearTimeout(closing)
      if (isTaken) resolve()
      else reject(new DeliveryError('the session of Claude Code closed its inbox', false))
    })
    socket.resume()
    socket.end(text, () => {
      isTaken = true
      closing = setTimeout(() => socket.destroy(), CLOSE_MS)
    })
  })
}

function describe(cause: NodeJS.ErrnoException): DeliveryError {
  if (ENDED.includes(cause.code ?? '')) {
    return new DeliveryError('the session of Claude Code has ended', true, { cause })
  }
  const isLasting = cause.code === 'EACCES'
  return new DeliveryError(`the inbox of Claude Code: ${cause.message}`, isLasting, { cause })
}
