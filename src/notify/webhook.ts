/**
 * An address on the web. It is told by POST; what it answers is not read but for its status, and
 * never followed. `docs/reference/deliveries.md` has the wire, and must change with it.
 */
import { createHash, createHmac } from 'node:crypto'
import { lookup as resolveName } from 'node:dns'
import { request as requestPlainly } from 'node:http'
import { request as requestSecurely } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Notice, NoticeEvent, Subscriber } from '../domain/notice.ts'
import { type Channel, DeliveryError } from '../ports/notifier.ts'
import { isPublicAddress } from './addresses.ts'
import { makeMessage, textOf } from './message.ts'
import { readPrivateFile } from './private-file.ts'

type Webhook = Extract<Subscriber, { kind: 'webhook' }>

interface WebhookOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly limitMs?: number
  /** Names to addresses, as `dns.lookup`. */
  readonly resolve?: typeof resolveName
}

/** A receiver is to take it, and to do its work afterwards. */
const LIMIT_MS = 15_000

export function makeWebhookChannel({
  now,
  limitMs = LIMIT_MS,
  resolve = resolveName,
}: WebhookOptions): Channel<'webhook'> {
  return {
    async send(webhook, notices, signal) {
      const { url, body } = formats[webhook.format](parseAddress(webhook.url), notices)
      const bytes = Buffer.from(JSON.stringify(body))
      const key = webhook.keyFile === null ? null : await readKey(webhook.keyFile)
      const headers = {
        'content-type': 'application/json',
        'content-length': String(bytes.length),
        'user-agent': 'holdfast',
        ...signed(messageId(notices), now(), bytes, key),
      }
      const isAllowed = webhook.mayBePrivate ? () => true : isPublicAddress
      const until = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
      judge(url, await post({ url, headers, bytes }, lookUp(isAllowed, resolve), isAllowed, until))
    },
  }
}

/** Its text is a secret, as that of Slack is: messages name the host alone. */
function parseAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return url
  throw new DeliveryError('its address is none of the web (http:// or https://)', true)
}

interface Post {
  readonly url: URL
  readonly body: unknown
}

const formats: Readonly<Record<Webhook['format'], (url: URL, notices: readonly Notice[]) => Post>> =
  {
    json: (url, notices) => ({
      url,
      body: {
        type: 'holdfast.notices',
        timestamp: new Date(Math.max(...notices.map(({ at }) => at))).toISOString(),
        data: { notices },
      },
    }),
    slack: (url, notices) => {
      const text = textOf(makeMessage(notices))
      const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
      return { url, body: { text: escaped, mrkdwn: false } }
    },
    ntfy: (address, notices) => {
      const { url, topic } = splitTopic(address)
      const { title, lines } = makeMessage(notices)
      const loud = notices.find(({ event }) => LOUD.includes(event))
      const tags = [...new Set(notices.map(({ event }) => tagOf[event]))]
      return {
        url,
        body: {
          topic,
          title,
          message: lines.join('\n'),
          tags,
          priority: loud === undefined ? 3 : 4,
        },
      }
    },
  }

/** Somebody is needed. */
const LOUD: readonly NoticeEvent[] = ['failed', 'needs_input', 'stalled']

/** The short codes of emojis. */
const tagOf: Readonly<Record<NoticeEvent, string>> = {
  succeeded: 'white_check_mark',
  failed: 'x',
  cancelled: 'no_entry_sign',
  needs_input: 'question',
  waiting: 'hourglass',
  stalled: 'warning',
  all_idle: 'zzz',
}

/** JSON goes to the server, and the topic into it: headers could not hold every letter. */
function splitTopic(address: URL): { readonly url: URL; readonly topic: string } {
  const url = new URL(address)
  const at = url.pathname.lastIndexOf('/')
  const topic = url.pathname.slice(at + 1)
  if (topic === '') throw new DeliveryError(`${url.host}: the address names no topic of ntfy`, true)
  url.pathname = url.pathname.slice(0, at + 1)
  return { url, topic }
}

/** The same for the same notices, so that whoever had them already can tell. */
function messageId(notices: readonly Notice[]): string {
  const ids = notices.map(({ id }) => id).join('\n')
  return `holdfast_${createHash('sha256').update(ids).digest('hex').slice(0, 32)}`
}

/** As Standard Webhooks 1.0 has it: https://github.com/standard-webhooks/standard-webhooks */
function signed(id: string, now: number, body: Buffer, key: Buffer | null) {
  const seconds = String(Math.floor(now / 1_000))
  const headers = { 'webhook-id': id, 'webhook-timestamp': seconds }
  if (key === null) return headers
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')
  return { ...headers, 'webhook-signature': `v1,${mac}` }
}

/** `whsec_…` is base64, as the libraries of Standard Webhooks write it; all else is taken as it is. */
async function readKey(path: string): Promise<Buffer> {
  const text = await readPrivateFile(path, 'the key in')
  const [, encoded] = /^whsec_(.+)$/.exec(text) ?? []
  return encoded === undefined ? Buffer.from(text) : Buffer.from(encoded, 'base64')
}

/** What is connected to is what was looked at: no second look-up comes between. */
function lookUp(
  isAllowed: (address: string) => boolean,
  resolve: typeof resolveName,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0)
      const [first] = addresses
      const isRefused = addresses.some(({ address }) => !isAllowed(address))
      if (first === undefined || isRefused) return callback(refusePrivate(hostname), '', 0)
      if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

const refusePrivate = (host: string) =>
  new DeliveryError(`${host} is a private address, which it may not be`, true)

/** The status of its answer. */
function post(
  {
    url,
    headers,
    bytes,
  }: { url: URL; headers: Readonly<Record<string, string>>; bytes: Uint8Array },
  lookup: LookupFunction,
  isAllowed: (address: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  // An address is not looked up.
  if (isIP(host) !== 0 && !isAllowed(host)) throw refusePrivate(host)
  const request = url.protocol === 'https:' ? requestSecurely : requestPlainly
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, lookup, signal, agent: false } as const
    const asked = request(url, options, response => {
      // However much it has to say: that is not read.
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    asked.on('error', error => reject(describe(url, error)))
    asked.end(bytes)
  })
}

function describe({ host }: URL, cause: NodeJS.ErrnoException): DeliveryError {
  if (cause instanceof DeliveryError) return cause
  const why = cause.name === 'AbortError' ? 'it did not answer in time' : cause.message
  return new DeliveryError(`${host}: ${why}`, false, { cause })
}

/** Of what is the sender's fault, these pass: too slow, too early, too many. */
const PASSING = [408, 425, 429]

function judge({ host }: URL, status: number): void {
  if (status >= 200 && status < 300) return
  if (status >= 300 && status < 400) {
    throw new DeliveryError(`${host} answers ${status}: redirects are not followed`, false)
  }
  const isLasting = status >= 400 && status < 500 && !PASSING.includes(status)
  throw new DeliveryError(`${host} answers ${status}`, isLasting)
}
