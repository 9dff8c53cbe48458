import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeClaudeChannel } from '../../src/notify/claude.ts'
import { eventually } from '../eventually.ts'
import { scratchDirectory } from '../scratch.ts'
import { never, notice } from './notices.ts'

const channel = makeClaudeChannel()
const subscriber = (socket: string, tokenFile: string | null = null) =>
  ({ kind: 'claude', session: 's1', socket, tokenFile }) as const

/** A session's inbox; what came, a connection each. */
async function openInbox() {
  const directory = scratchDirectory()
  const socket = join(directory, 'inbox.sock')
  const heard: string[] = []
  const server: Server = createServer(connection => {
    let text = ''
    connection.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
    connection.on('end', () => heard.push(text))
  })
  await new Promise<void>(resolve => server.listen(socket, resolve))
  const close = () => new Promise(resolve => server.close(resolve))
  return { directory, socket, heard, close }
}

test('the session is told once it has taken it: the token first, where there is one', async () => {
  const { directory, socket, heard, close } = await openInbox()
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, 't0ken\n', { mode: 0o600 })
  await channel.send(subscriber(socket, tokenFile), [notice()], never)
  await channel.send(subscriber(socket), [notice(), notice({ name: 'b' })], never)
  await eventually('both came', () => heard.length === 2)
  const [first, second] = heard.map(text => {
    expect(text.endsWith('\n')).toBe(true)
    return text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  })
  const said = (content: unknown) => ({ type: 'user', message: { role: 'user', content } })
  expect(first).toEqual([
    { type: 'auth', token: 't0ken' },
    said(
      'Holdfast: fix-login succeeded\n' +
        'fix-login succeeded (codex in app), 3 files +10 -2: holdfast result k3v9m2x7qd',
    ),
  ])
  expect(second).toEqual([said(expect.stringMatching(/^Holdfast: 2 succeeded\n/))])

  // Nobody else's token is shown, and none that others could have read.
  chmodSync(tokenFile, 0o644)
  const lasting = { name: 'DeliveryError', isLasting: true }
  const shown = channel.send(subscriber(socket, tokenFile), [notice()], never)
  await expect(shown).rejects.toMatchObject(lasting)
  const missing = channel.send(subscriber(socket, join(directory, 'none')), [notice()], never)
  await expect(missing).rejects.toMatchObject(lasting)
  expect(heard).toHaveLength(2)
  await close()
})

test('a session that has ended is lasting: its socket is gone, is deaf, or is none', async () => {
  const { directory, socket, close } = await openInbox()
  const stop = new AbortController()
  stop.abort()
  const stopped = channel.send(subscriber(socket), [notice()], stop.signal)
  await expect(stopped).rejects.toMatchObject({ name: 'DeliveryError', isLasting: false })
  await close()
  const plain = join(directory, 'plain')
  writeFileSync(plain, '')
  for (const gone of [socket, plain]) {
    const sent = channel.send(subscriber(gone), [notice()], never)
    await expect(sent, gone).rejects.toMatchObject({ name: 'DeliveryError', isLasting: true })
  }
})
