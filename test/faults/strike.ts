/** One blow: who is killed, and at which point. */
import { eventually } from '../eventually.ts'
import { type Actor, find, isAlive, killAll } from './cast.ts'
import type { Stage } from './stage.ts'

/** Of a machine that is busy with all other cases. */
export const LIMIT_MS = 240_000

/** Where processes are about to end by themselves, an actor may be gone already. */
const LOOSE = /^(?:stop|end|wrapper|settle|cancel|collect)\.|^launch\.handed-over$/

export interface StrikeNeeds {
  readonly stage: Stage
  readonly point: string
  readonly who: readonly Actor[]
  /** Where the agent stands still that must live while its worker is struck. */
  readonly gate: string
  /** The task that they belong to, once there is one. */
  readonly task: () => string | undefined
  /** Called right after the blow: is what others see true? */
  readonly look: () => Promise<void>
}

export class Strike {
  readonly reached: Promise<void>
  readonly landed: Promise<void>
  readonly #needs: StrikeNeeds
  #armed: () => void = () => undefined
  #held = false

  constructor(needs: StrikeNeeds) {
    this.#needs = needs
    const armed = new Promise<void>(resolve => {
      this.#armed = resolve
    })
    this.reached = armed.then(() => this.#untilReached())
    this.landed = this.reached.then(() => this.#land())
    // Whoever tells the story asks for it in the end.
    this.reached.catch(() => undefined)
    this.landed.catch(() => undefined)
  }

  /** From now on the point strikes. */
  arm(): void {
    const { stage, point, who } = this.#needs
    stage.arm(point, who.includes('self') ? 'kill' : 'stand')
    // Else the agent might be over before the worker is at the point.
    if (this.#holdsAgent) stage.arm(this.#needs.gate, 'stand')
    this.#armed()
  }

  /** Lets whoever reaches the point stand there until `fall`. */
  hold(): void {
    this.#held = true
  }

  fall(): void {
    this.#held = false
  }

  get #holdsAgent(): boolean {
    const { point, who } = this.#needs
    const isOfAttempt = /^(?:launch|follow)\./.test(point)
    return isOfAttempt && (who.includes('agent') || who.includes('wrapper'))
  }

  async #untilReached(): Promise<void> {
    const { stage, point } = this.#needs
    const limit = LIMIT_MS
    const isThere = () => stage.standsAt(point) !== undefined || this.#waitsForInput()
    await eventually(`${point} is reached`, isThere, limit)
    if (this.#holdsAgent) {
      const held = () => stage.standsAt(this.#needs.gate) !== undefined
      await eventually('the agent is held', held, limit)
    }
  }

  /** The wrapper stands where it opens the agent's stdin (`tools/born.sh`). */
  #waitsForInput(): boolean {
    const { stage, point, task } = this.#needs
    if (point !== 'wrapper.written' || !stage.isReached(point)) return false
    const id = task()
    if (id === undefined) return false
    return find('wrapper', stage, id) !== undefined && stage.hasWritten(id, 'wrapper')
  }

  async #land(): Promise<void> {
    const { stage, point, who, task, look } = this.#needs
    await eventually('the blow may fall', () => !this.#held, LIMIT_MS)
    const victim = stage.standsAt(point)
    if (who.includes('self')) {
      await eventually('it is dead', () => victim !== undefined && !isAlive(victim), LIMIT_MS)
    } else {
      const id = task()
      if (id === undefined) throw new Error('there is no task to strike at')
      const others = who.filter(actor => actor !== 'self' && actor !== 'again')
      await killAll(others, stage, id, !LOOSE.test(point))
    }
    await look()
    if (who.includes('again')) stage.armAgain(point)
    else stage.letGo(point)
    if (point === 'wrapper.written') stage.giveInput(task() ?? '')
    if (this.#holdsAgent) stage.letGo(this.#needs.gate)
  }
}
