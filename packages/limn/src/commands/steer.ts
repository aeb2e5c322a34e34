// `limn steer`: learns to turn a behaviour up and down, explains one prompt, applies what was learnt, says what fewer cells cost, and compares.
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { addSteerApplyCommand } from './steer-apply.js';
import { addSteerCompareCommand } from './steer-compare.js';
import { addSteerExplainCommand } from './steer-explain.js';
import { addSteerSweepCommand } from './steer-sweep.js';
import { addSteerTrainCommand } from './steer-train.js';

export function addSteerCommand(program: Command, context: CommandContext): void {
  const steer = program
    .command('steer')
    .description('learn scales or vectors that favour one answer at strength +1 and the other at −1, and use them');
  addSteerTrainCommand(steer, context);
  addSteerExplainCommand(steer, context);
  addSteerApplyCommand(steer, context);
  addSteerSweepCommand(steer, context);
  addSteerCompareCommand(steer, context);
}
