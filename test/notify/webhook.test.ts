import { createHmac } from 'node:crypto'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Subscriber } from '../../src/domain/notice.ts'
import { makeWebhookChannel } from '../../src/notify/webhook.ts'
import { scratchDirectory } from '../scratch.ts'
import { allIdle, never, notice } from './notices.ts'

const NOW = Date.UTC(2026, 10, 29, 12, 0, 30) + 999
const channel = makeWebhookChannel({ now: () => NOW })

type Webhook = Extract<Subscriber, { kind: 'webhook' }>

function webhook(url: string, rest: Partial<Webhook> = {}): Webhook {
  return { kind: 'webhook', url, format: 'json', keyFile: null, mayBePrivate: true, ...rest }
}

interface Heard {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const servers: { close(): unknown; closeAllConnections?(): void }[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections?.()
  }
})

/** A server on loopback; what it heard. */
async function listen(answer: RequestListener = (_, response) => response.end('ok')) {
  const heard: Heard[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    heard.push({ method: request.method, url: request.url, headers: request.headers, body })
    answer(request, response)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { heard, port, url: `http://127.0.0.1:${port}` }
}

function key(text: string, mode = 0o600): string {
  const path = join(scratchDirectory(), 'key')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

test('the notices come as JSON, signed as Standard Webhooks has it, with an id that repeats', async () => {
  const { heard, url } = await listen()
  const notices = [notice(), allIdle]
  const signed = webhook(`${url}/in?of=me`, {
    keyFile: key('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n'),
  })
  await channel.send(signed, notices, never)
  await channel.send(webhook(url, { keyFile: key('a plain key') }), notices, never)
  await channel.send(webhook(url), [notice({}, { id: 'd2' })], never)

  const [first, second, third] = heard
  expect(first).toMatchObject({
    method: 'POST',
    url: '/in?of=me',
    headers: { 'content-type': 'application/json', 'webhook-timestamp': '1795953630' },
  })
  expect(JSON.parse(first?.body ?? '')).toEqual({
    type: 'holdfast.notices',
    timestamp: '2026-11-29T12:01:00.000Z',
    data: { notices },
  })
  const id = first?.headers['webhook-id']
  expect(id).toMatch(/^holdfast_[0-9a-f]{32}$/)
  const mac = (secret: Buffer | string) =>
    `v1,${createHmac('sha256', secret).update(`${id}.1795953630.${first?.body}`).digest('base64')}`
  expect(first?.headers['webhook-signature']).toBe(
    mac(Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')),
  )
  expect(second?.headers['webhook-id']).toBe(id)
  expect(second?.headers['webhook-signature']).toBe(mac('a plain key'))
  expect(third?.headers['webhook-id']).not.toBe(id)
  expect(third?.headers['webhook-signature']).toBeUndefined()
})

test('Slack and ntfy get it in their own form, and no name is markup', async () => {
  const { heard, url } = await listen()
  const hostile = notice({ repository: '/x/<!channel> & *b*' }, { event: 'failed' })
  await channel.send(webhook(url, { format: 'slack' }), [hostile], never)
  await channel.send(webhook(`${url}/base/my-topic?auth=x`, { format: 'ntfy' }), [hostile], never)
  await channel.send(webhook(`${url}/t`, { format: 'ntfy' }), [notice(), notice()], never)

  const [slack, ntfy, quiet] = heard.map(({ body }) => JSON.parse(body))
  expect(slack).toEqual({
    text:
      'Holdfast: fix-login failed\nfix-login failed (codex in &lt;!channel&gt; &amp; *b*), ' +
      '3 files +10 -2: holdfast result k3v9m2x7qd',
    mrkdwn: false,
  })
  expect(heard[1]?.url).toBe('/base/?auth=x')
  expect(ntfy).toMatchObject({ topic: 'my-topic', title: 'Holdfast: fix-login failed' })
  expect(ntfy).toMatchObject({ tags: ['x'], priority: 4 })
  expect(quiet).toMatchObject({ topic: 't', tags: ['white_check_mark'], priority: 3 })
  const noTopic = channel.send(webhook(url, { format: 'ntfy' }), [notice()], never)
  await expect(noTopic).rejects.toMatchObject({ name: 'DeliveryError', isLasting: true })
})

test('only 2xx is accepted; what the sender can mend by waiting is tried again', async () => {
  let status = 204
  const { heard, url } = await listen((_, response) => {
    response.writeHead(status, { location: '/elsewhere' }).end()
  })
  await channel.send(webhook(url), [notice()], never)
  const lasting: Record<number, boolean> = {
    ...{ 301: false, 302: false, 307: false, 400: true, 401: true, 404: true, 410: true },
    ...{ 408: false, 425: false, 429: false, 500: false, 503: false },
  }
  for (const [code, isLasting] of Object.entries(lasting)) {
    status = Number(code)
    const before = heard.length
    const sent = channel.send(webhook(`${url}/s3cret`), [notice()], never)
    const error = await sent.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'DeliveryError', isLasting })
    expect(String(error)).toContain(` answers ${code}`)
    expect(String(error)).not.toContain('s3cret')
    // No redirect was followed.
    expect(heard).toHaveLength(before + 1)
  }
})

test('nothing private is reached, by whatever name, and a name is looked up once', async () => {
  const { heard, port, url } = await listen()
  const places = [
    url,
    `http://localhost:${port}`,
    `http://2130706433:${port}`,
    `http://0x7f.1:${port}`,
    `http://[::1]:${port}`,
    `http://[::ffff:127.0.0.1]:${port}`,
    `http://0.0.0.0:${port}`,
    `https://127.0.0.1:${port}`,
  ]
  for (const place of places) {
    const sent = channel.send(webhook(place, { mayBePrivate: false }), [notice()], never)
    await expect(sent, place).rejects.toMatchObject({ name: 'DeliveryError', isLasting: true })
  }
  expect(heard).toEqual([])

  // A name that is public when it is looked at, and private ever after.
  let looks = 0
  const answers = [
    [
      { address: '93.184.216.34', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ],
    [{ address: '127.0.0.1', family: 4 }],
  ]
  const resolve = ((_name: string, _options: object, done: (...words: unknown[]) => void) => {
    done(null, answers[looks++])
  }) as never
  const rebound = makeWebhookChannel({ now: () => NOW, resolve })
  for (const _ of answers) {
    const target = webhook(`http://rebind.example:${port}`, { mayBePrivate: false })
    await expect(rebound.send(target, [notice()], never)).rejects.toMatchObject({ isLasting: true })
  }
  expect({ looks, heard }).toEqual({ looks: 2, heard: [] })
  // Where it may be, what is connected to is what that one look said.
  looks = 1
  await rebound.send(webhook(`http://rebind.example:${port}`), [notice()], never)
  expect(looks).toBe(2)
  expect(heard[0]?.headers.host).toBe(`rebind.example:${port}`)
})

test('whoever does not answer, answers without end, or is not there, holds nobody up', async () => {
  const silent = createPlainServer(() => undefined)
  servers.push(silent)
  const sockets: { destroy(): void }[] = []
  silent.on('connection', socket => sockets.push(socket))
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const short = makeWebhookChannel({ now: () => NOW, limitMs: 20 })
  const passing = { name: 'DeliveryError', isLasting: false }
  await expect(short.send(webhook(at), [notice()], never)).rejects.toMatchObject(passing)
  const stop = new AbortController()
  const stopped = channel.send(webhook(at), [notice()], stop.signal)
  stop.abort()
  await expect(stopped).rejects.toMatchObject(passing)
  for (const socket of sockets) socket.destroy()

  const { url } = await listen((_, response) => {
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', pour)
    pour()
  })
  await channel.send(webhook(url), [notice()], never)

  const gone = await listen()
  servers.pop()?.close()
  await expect(channel.send(webhook(gone.url), [notice()], never)).rejects.toMatchObject(passing)
})

test('a bad address and a key that is not private are lasting, and nothing is sent', async () => {
  const { heard, url } = await listen()
  const linked = join(scratchDirectory(), 'link')
  symlinkSync(key('k', 0o604), linked)
  const bad = [
    webhook('file:///etc/passwd'),
    webhook('no address'),
    webhook(url, { keyFile: '/nonexistent/key' }),
    webhook(url, { keyFile: key('k', 0o640) }),
    webhook(url, { keyFile: linked }),
    webhook(url, { keyFile: key('  \n') }),
    webhook(url, { keyFile: key('k'.repeat(5_000)) }),
    webhook(url, { keyFile: scratchDirectory() }),
  ]
  for (const target of bad) {
    const sent = channel.send(target, [notice()], never)
    await expect(sent, JSON.stringify(target)).rejects.toMatchObject({
      name: 'DeliveryError',
      isLasting: true,
    })
  }
  expect(heard).toEqual([])
})
