/** What starts the worker with the machine: nobody needs it, but where it is, it should work. */
import type { Boot } from '../../ports/boot.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'boot'

export async function findBootTrouble(boot: Boot): Promise<readonly Finding[]> {
  try {
    const entries = await boot.find()
    if (entries.length === 0) {
      return [
        fine(CHECK, 'the next command goes on with all tasks (holdfast worker install: at once)'),
      ]
    }
    return entries.map(({ method, where, problem }) =>
      problem === null
        ? fine(CHECK, `the worker starts with the machine: ${method}, ${where}`)
        : trouble(CHECK, 'warning', `${where}: ${problem}`, {
            repair: { kind: 'install_boot', method },
          }),
    )
  } catch (error) {
    return [trouble(CHECK, 'warning', error)]
  }
}
