// `limn dit`: trains the adapter that makes changed models say what they learnt, asks it, measures it, and audits folders and fine-tunes with it.
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { addDitAskCommand } from './dit-ask.js';
import { addDitAuditCommand } from './dit-audit.js';
import { addDitEvaluateCommand } from './dit-evaluate.js';
import { addDitTrainCommand } from './dit-train.js';
import { addDitWatchCommand } from './dit-watch.js';

export function addDitCommand(program: Command, context: CommandContext): void {
  const dit = program
    .command('dit')
    .description(
      'ask fine-tunes what they changed: train an adapter on weight diffs whose truth is known, ask it, measure it, audit with it',
    );
  addDitTrainCommand(dit, context);
  addDitAskCommand(dit, context);
  addDitEvaluateCommand(dit, context);
  addDitAuditCommand(dit, context);
  addDitWatchCommand(dit, context);
}
