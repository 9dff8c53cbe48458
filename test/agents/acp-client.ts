/** As much of an Agent Client Protocol client as a test needs: JSON-RPC over an agent's stdio. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Scene } from './alone.ts'

export interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: unknown
}

export interface AcpOptions {
  /** How each request for permission is answered. */
  readonly permission: 'allow_once' | 'reject_once'
}

export interface AcpAgent {
  /** All that the agent sent so far. */
  readonly heard: readonly Message[]
  /** The result; rejects with the agent's error. */
  request<T = unknown>(method: string, params: unknown): Promise<T>
  notify(method: string, params: unknown): void
  /** Ends its stdin, waits for its exit, and kills it where none comes. */
  end(waitMs: number): Promise<{ readonly byItself: boolean; readonly code: number | null }>
}

/** What `startAcp` knows of a request that it sent. */
interface Pending {
  resolve(result: unknown): void
  reject(error: Error): void
}

export function startAcp(
  scene: Scene,
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
  { permission }: AcpOptions,
): AcpAgent {
  const child = spawn(program, args, {
    cwd: scene.workspace,
    env: { ...scene.environment, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const heard: Message[] = []
  const pending = new Map<number | string, Pending>()
  const exited = once(child, 'exit') as Promise<[number | null]>
  let lastId = 0
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => undefined) // It went first: whoever waits hears of that below.
  exited.then(([code]) => {
    const gone = new Error(`the agent has exited (${code}): ${stderr.slice(-2_000)}`)
    for (const { reject } of pending.values()) reject(gone)
  })

  const send = (message: Message) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  function hear(message: Message): void {
    heard.push(message)
    const { id, method, params, result, error } = message
    if (id === undefined) return
    if (method === 'session/request_permission') {
      const { options } = params as { options: { optionId: string; kind: string }[] }
      const optionId = options.find(option => option.kind === permission)?.optionId
      send({ id, result: { outcome: { outcome: 'selected', optionId } } })
    } else if (method !== undefined) {
      send({ id, error: { code: -32601, message: 'not supported' } })
    } else if (error !== undefined) {
      pending.get(id)?.reject(new Error(JSON.stringify(error)))
    } else {
      pending.get(id)?.resolve(result)
    }
  }
  hearLines(child.stdout, line => hear(JSON.parse(line) as Message))

  return {
    heard,
    request: (method, params) => {
      const id = ++lastId
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve: result => resolve(result as never), reject })
        send({ id, method, params })
      })
    },
    notify: (method, params) => send({ method, params }),
    async end(waitMs) {
      child.stdin.end()
      let byItself = true
      const timer = setTimeout(() => {
        byItself = false
        child.kill('SIGKILL')
      }, waitMs)
      const [code] = await exited
      clearTimeout(timer)
      return { byItself, code }
    },
  }
}

function hearLines(stream: Readable, hear: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') hear(line)
  })
}
