/** What the worker takes of the machine: memory, and open files. Linux. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Place } from './place.ts'

export interface WorkerLook {
  readonly pid: number
  readonly rssBytes: number
  readonly descriptors: readonly string[]
}

/** Undefined: there is none, or it just went. */
export function lookAtWorker(place: Place): WorkerLook | undefined {
  const pid = place.workerPid()
  if (pid === undefined) return undefined
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
    return { pid, rssBytes: kilobytes * 1024, descriptors: readDescriptors(pid) }
  } catch {
    return undefined
  }
}

function readDescriptors(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(name => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)]
    } catch {
      // It was closed while we looked.
      return []
    }
  })
}

/** Files of tasks and worktrees, which nobody needs any more once all is over; or deleted ones. */
export function leakedDescriptors(look: WorkerLook, home: string): readonly string[] {
  const isTasks = (path: string) =>
    ['tasks', 'worktrees', 'pool', 'trash'].some(name => path.startsWith(`${home}/${name}/`))
  return look.descriptors.filter(path => isTasks(path) || path.endsWith(' (deleted)'))
}
