/**
 * The user's own filters, on files that an agent wrote. Git runs a filter where it stands, at the
 * top of the working tree: one that is named by a relative path, or that reads a configuration from
 * there, would be the agent's. So filters are made to stand in the repository's own checkout.
 */
import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { shellWord } from '../../domain/shell-word.ts'
import type { Git, GitCall } from './git.ts'

/** A git whose filters stand elsewhere; the same one where there are no filters. One spawn. */
export async function withOwnFilters(git: Git, commonDir: string): Promise<Git> {
  // Without the repository there is nothing to filter, and whoever asks says so.
  if (!existsSync(commonDir)) return git
  const { stdout } = await git.run(
    ['config', '--null', '--includes', '--get-regexp', '^filter\\..*\\.(clean|smudge|process)$'],
    // 1: there are none.
    { place: { gitDir: commonDir }, answers: [1] },
  )
  const config: Record<string, string> = {}
  for (const record of stdout.toString('utf8').split('\0')) {
    const end = record.indexOf('\n')
    const command = record.slice(end + 1)
    if (end > 0 && command !== '') config[record.slice(0, end)] = standingIn(commonDir, command)
  }
  if (Object.keys(config).length === 0) return git
  const moved = (call: GitCall) => ({ ...call, config: { ...config, ...call.config } })
  return {
    run: (args, call) => git.run(args, moved(call)),
    start: (args, call) => git.start(args, moved(call)),
  }
}

/** A bare repository has no checkout: then in its git directory. */
function standingIn(commonDir: string, command: string): string {
  const place = basename(commonDir) === '.git' ? dirname(commonDir) : commonDir
  return `cd ${shellWord(place)} && { ${command}\n}`
}
