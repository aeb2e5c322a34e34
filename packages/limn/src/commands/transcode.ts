// `limn transcode`: dictionaries of MLPs: trained, measured, compared over sparsities, and brought from and to other tools' formats.
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { addTranscodeConvertCommand } from './transcode-convert.js';
import { addTranscodeEvaluateCommand } from './transcode-evaluate.js';
import { addTranscodeSweepCommand } from './transcode-sweep.js';
import { addTranscodeTrainCommand } from './transcode-train.js';

export function addTranscodeCommand(program: Command, context: CommandContext): void {
  const transcode = program
    .command('transcode')
    .description('train transcoders and SAEs of MLPs, measure them, choose their sparsity, convert them');
  addTranscodeTrainCommand(transcode, context);
  addTranscodeEvaluateCommand(transcode, context);
  addTranscodeSweepCommand(transcode, context);
  addTranscodeConvertCommand(transcode, context);
}
