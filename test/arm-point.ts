import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Has whoever reaches a crash point next die there, or stand still (`src/crash-here.ts`). They may be
 * about to reach it: an order that is read before it is written would be none.
 */
export function armPoint(directory: string, point: string, order: 'kill' | 'stand'): void {
  const armed = join(directory, point)
  writeFileSync(`${armed}.order`, order)
  renameSync(`${armed}.order`, armed)
}
