// `limn features`: what the features of transcoders are, and how a prompt's output is made of them.
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { addFeaturesDashboardsCommand } from './features-dashboards.js';
import { addFeaturesEdgeCommand } from './features-edge.js';
import { addFeaturesGraphCommand } from './features-graph.js';
import { addFeaturesImportCommand } from './features-import.js';
import { addFeaturesLabelCommand } from './features-label.js';
import { addFeaturesPathsCommand } from './features-paths.js';
import { addFeaturesRateCommand } from './features-rate.js';
import { addFeaturesSearchCommand } from './features-search.js';

export function addFeaturesCommand(program: Command, context: CommandContext): void {
  const features = program
    .command('features')
    .description('read the features of transcoders: graphs and paths of a prompt, dashboards, search, labels, ratings');
  addFeaturesGraphCommand(features, context);
  addFeaturesImportCommand(features, context);
  addFeaturesPathsCommand(features, context);
  addFeaturesEdgeCommand(features, context);
  addFeaturesDashboardsCommand(features, context);
  addFeaturesSearchCommand(features, context);
  addFeaturesLabelCommand(features, context);
  addFeaturesRateCommand(features, context);
}
