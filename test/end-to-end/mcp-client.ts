/** A client of the Model Context Protocol, as plain as can be: it sees what is on the wire. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { entry, type House } from './house.ts'

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string }
}

export interface Notification {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

type Ask = (params: Readonly<Record<string, unknown>>) => unknown

export class McpClient {
  readonly process: ChildProcess
  readonly notified: Notification[] = []
  /** What came on stdout and is no message: there may be none. */
  readonly garbage: string[] = []
  said = ''
  readonly #waiting = new Map<unknown, (answer: Answer) => void>()
  readonly #asks: Readonly<Record<string, Ask>>
  #last = 0

  /**
   * `asks`: what the server may ask of its client, by method. `starter`: a program that starts the
   * server, given as its last arguments.
   */
  constructor(
    house: House,
    asks: Readonly<Record<string, Ask>> = {},
    directory = house.repo,
    starter: readonly string[] = [],
  ) {
    this.#asks = asks
    const [program = '', ...words] = [...starter, process.execPath, entry, 'mcp']
    this.process = spawn(program, words, {
      cwd: directory,
      env: house.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.process.stderr?.on('data', chunk => {
      this.said += chunk
    })
    if (this.process.stdout === null) throw new Error('it has a stdout')
    createInterface({ input: this.process.stdout }).on('line', line => this.#hear(line))
  }

  #hear(line: string): void {
    let message: Answer & Notification & { readonly id?: unknown }
    try {
      message = JSON.parse(line)
    } catch {
      this.garbage.push(line)
      return
    }
    if (message.method === undefined) this.#waiting.get(message.id)?.(message)
    else if (message.id === undefined) this.notified.push(message)
    else {
      const result = this.#asks[message.method]?.(message.params)
      const error = { code: -32601, message: 'not here' }
      this.send({ id: message.id, ...(result === undefined ? { error } : { result }) })
    }
  }

  send(message: object): void {
    this.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  request(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.#last
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#waiting.set(id, resolve)
    this.send({ id, method, params })
    return promise
  }

  /** The handshake of the first era; what the server says of itself. */
  async initialize(version: string, capabilities: object = {}): Promise<Answer> {
    const clientInfo = { name: 'tester', version: '1' }
    const params = { protocolVersion: version, capabilities, clientInfo }
    const answer = await this.request('initialize', params)
    this.send({ method: 'notifications/initialized' })
    return answer
  }

  /** The result of a tool; `meta` goes along with the request. */
  async call(name: string, given: object = {}, meta?: object): Promise<Answer['result']> {
    const params = { name, arguments: given, ...(meta === undefined ? {} : { _meta: meta }) }
    const { result, error } = await this.request('tools/call', params)
    if (error !== undefined) throw new Error(`${name}: ${error.message}`)
    return result
  }

  /** The code of a tool's refusal. */
  async refusal(name: string, given: object, meta?: object): Promise<unknown> {
    const { isError, _meta, structuredContent } = await this.call(name, given, meta)
    return isError === true && structuredContent === undefined && _meta['holdfast/error'].code
  }

  /** As a client does that is done: its end of the pipe. The exit code. */
  async leave(): Promise<number | null> {
    const exit = once(this.process, 'exit')
    this.process.stdin?.end()
    const [code] = await exit
    return code
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.process, 'exit')
    this.process.kill(signal)
    await exit
  }
}
