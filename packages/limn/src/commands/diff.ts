// `limn diff`: weight diffs trained by the hundred, what each shows and hides, what is in a folder of them, and other tools' formats.
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { addDiffExportCommand } from './diff-export.js';
import { addDiffGateCommand } from './diff-gate.js';
import { addDiffImportCommand } from './diff-import.js';
import { addDiffShowCommand } from './diff-show.js';
import { addDiffTrainCommand } from './diff-train.js';

export function addDiffCommand(program: Command, context: CommandContext): void {
  const diff = program
    .command('diff')
    .description('train weight diffs (LoRAs) by the hundred, see what each shows and hides, and exchange them');
  addDiffTrainCommand(diff, context);
  addDiffGateCommand(diff, context);
  addDiffShowCommand(diff, context);
  addDiffExportCommand(diff, context);
  addDiffImportCommand(diff, context);
}
