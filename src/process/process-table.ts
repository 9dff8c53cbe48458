import { AppError } from '../domain/errors.ts'
import type { ProcessTable } from '../ports/process-table.ts'

/** The process table of this system. Refuses with `unsupported_platform` where we know of none. */
export async function loadProcessTable(
  platform: NodeJS.Platform = process.platform,
): Promise<ProcessTable> {
  if (platform === 'linux') return (await import('./linux/table.ts')).makeLinuxTable()
  if (platform === 'darwin') return (await import('./macos/table.ts')).makeMacosTable()
  throw new AppError('unsupported_platform', `holdfast cannot run agents on ${platform}`, {
    hint: platform === 'win32' ? 'run it inside WSL2' : 'it runs on Linux and macOS',
  })
}
