/** A house whose processes stand still at crash points until they are told to go on. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { armPoint } from '../arm-point.ts'
import { House } from './house.ts'

export class Points {
  readonly house: House
  readonly #directory: string

  constructor(house = new House()) {
    this.house = house
    this.#directory = join(house.scratch, 'points')
    mkdirSync(this.#directory)
    house.environment.HOLDFAST_CRASH_POINTS = this.#directory
  }

  /** Whoever comes to the point first stands still there. */
  stand(point: string): void {
    armPoint(this.#directory, point, 'stand')
  }

  isReached(point: string): boolean {
    return existsSync(join(this.#directory, `${point}.pid`))
  }

  go(point: string): void {
    writeFileSync(join(this.#directory, `${point}.go`), '')
  }
}
