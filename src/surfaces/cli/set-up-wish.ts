import { type Configuration, configuredBounds } from '../../domain/configuration.ts'
import type { SetUpWish } from '../../engine/plan-set-up.ts'
import type { CommandContext } from './command.ts'

/** What the checkout whose top is `root` says of set-up; null: there is no checkout. */
export async function readSetUpWish(
  root: string | null,
  configuration: Configuration,
  { holdfast }: CommandContext,
): Promise<SetUpWish> {
  return {
    command: root === null ? undefined : await holdfast.setUpCommand(root, configuration),
    bounds: configuredBounds(configuration, 'include'),
  }
}
