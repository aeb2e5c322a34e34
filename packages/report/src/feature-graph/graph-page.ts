// featureGraphPage: an attribution graph as one HTML file: drawn over the tokens of its prompt, followed edge by edge, pinned and grouped.
import { drawnMarkup } from '../drawn.js';
import { liveFeature } from '../features/live-feature.js';
import { Markup, html, scriptJson } from '../markup.js';
import { numberText, percentText } from '../number-text.js';
import { pageShell } from '../page-shell.js';
import { carriesSpaces, tokenText } from '../prompts.js';

import { maskSecrets } from '../secrets.js';
import { graphDrawing, rowNames, shapeOf } from './graph-drawing.js';
import { graphPanel } from './graph-panel.js';
import { checkFeatureGraph, type FeatureGraphNode, type FeatureGraphRecord } from './graph-record.js';
import { shownText } from './graph-shown.js';
import { summariseFeatureGraph } from './graph-summary.js';
import { effectTable, nodeTable, strongestEdges, tableSize } from './graph-tables.js';
import { firstReading, graphView, type DrawnGraph, type GraphView } from './graph-view.js';
import { headScores } from './head-scores.js';
import { graphOrigin } from './graph-origin.js';
import { pinnedList } from './pinned-list.js';
import { residualMeter } from './residual-meter.js';

/** What the script of the page is given. */
export interface LiveGraph {
  readonly graph: DrawnGraph;
  /** What graph files name their model by, and the version of limn. */
  readonly maker: { readonly scan: string; readonly version: string };
}

/**
 * One self-contained HTML page about an attribution graph. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkFeatureGraph`
 */
export function featureGraphPage(given: FeatureGraphRecord): string {
  const record = maskSecrets(checkFeatureGraph(given));
  const { schema: _schema, version: _version, kind: _kind, provenance, imported, effects, ...graph } = record;
  const versions: Readonly<Record<string, string>> = (provenance ?? imported)?.versions ?? {};
  const live: LiveGraph = {
    graph: liveGraph(graph),
    maker: { scan: record.scan ?? provenance?.model.name ?? '', version: versions['limn'] ?? '' },
  };
  const view = graphView(graph, firstReading(graph));
  const { headline, sentences } = summariseFeatureGraph(record);
  return pageShell({
    title: record.title,
    skip: ['graph', 'Skip to the graph'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record feature-graph" id="graph" aria-labelledby="graph-title" data-feature-graph>
      <h2 id="graph-title">The graph</h2>
      ${promptWords(record)} ${controls(record)}
      <p class="shown-says" data-shown-says aria-live="polite">${shownText(record, view.shown)}</p>
      ${drawing(view)} ${legend()}
      <div class="part">
        <h3>Pinned and grouped</h3>
        ${groupControls()}
        <div class="supernodes" data-supernodes>${pinnedList(view).map(drawnMarkup)}</div>
        <div class="proposals only-live" data-proposals aria-live="polite"></div>
      </div>
      ${headScores(record)}
      <div class="part">
        <h3>Does it add up?</h3>
        ${record.accounting ? residualMeter(record.accounting) : html`<p class="note">The file does not say what its edges should sum to.</p>`}
        ${scoreFigures(record)}
      </div>
      ${
        effects !== undefined &&
        effects.length > 0 &&
        html`<div class="part">
          <h3>Do interventions agree?</h3>
          <p class="note">
            Features are set to other values, and what happens in the model is held against what the graph predicts.
            NMSE is Σ(predicted − measured)² ÷ Σ measured².
          </p>
          <div class="scroll" tabindex="0" role="region" aria-label="Effects">${effectTable(effects)}</div>
        </div>`
      }
      <div class="part">
        <h3>The same as tables</h3>
        ${folded('Nodes', record.nodes.length, 'the most influential', nodeTable(record))}
        ${folded('Edges', record.edges.length, 'the strongest', strongestEdges(record))}
      </div>
      ${graphOrigin(record)} ${new Markup(`<script type="application/json">${scriptJson(live)}</script>`)}
    </section>`,
    version: versions['limn'],
    footer: html`An edge is what its source brings to its target’s pre-activation, or to an output’s logit less the mean
    logit, with attention patterns and LayerNorm scales as they are in this prompt. Influence is that of circuit-tracer:
    a threshold of 0.8 keeps the nodes that have 80 % of it.`,
  });
}

/** What the script is given of a graph: nine digits are all that an f32 has, and dashboards as far as they are shown. */
function liveGraph(graph: DrawnGraph): DrawnGraph {
  const { edges, features } = graph;
  return {
    ...graph,
    edges: edges.map(([source, target, weight, share]) =>
      share === undefined ? [source, target, digits(weight, 9)] : [source, target, digits(weight, 9), digits(share, 6)],
    ),
    ...(features ? { features: features.map(liveFeature) } : {}),
  };
}

const digits = (value: number, count: number): number => Number(value.toPrecision(count));

function promptWords({ prompt }: FeatureGraphRecord): Markup {
  return html`<p class="aligned ${!carriesSpaces(prompt) && 'apart'}">${prompt.map(tokenText)}</p>`;
}

function controls({ pruning, nodes, edges }: FeatureGraphRecord): Markup {
  const slider = (what: string, name: string, value: number): Markup =>
    html`<span class="knob">
      <label
        >${name}
        <input
          type="range"
          data-threshold="${what}"
          min="0"
          max="1"
          step="0.01"
          value="${value}"
          aria-valuetext="${percentText(value, 3)} of the influence"
      /></label>
      <output data-threshold-says="${what}">${percentText(value, 3)} of the influence</output>
    </span>`;
  return html`<div class="controls knobs only-live" role="group" aria-label="What is shown">
    ${slider('nodes', 'Nodes', pruning.nodeThreshold)}
    ${edges.some(([, , , influence]) => influence !== undefined) && slider('edges', 'Edges', pruning.edgeThreshold)}
    ${nodes.some(({ kind }) => kind === 'bias') && html`<label><input type="checkbox" data-constants /> biases</label>`}
  </div>`;
}

function drawing(view: GraphView): Markup {
  return html`<div class="graph-view" data-graph-view>
    <div class="graph-frame">
      <div class="row-frame" data-row-names>${drawnMarkup(rowNames(view))}</div>
      <div class="scroll" tabindex="0" role="region" aria-label="Drawing of the graph" data-graph>
        ${drawnMarkup(graphDrawing(view))}
      </div>
    </div>
    <div class="reading panel" data-panel>${graphPanel(view).map(drawnMarkup)}</div>
    <div class="hover-card only-live" data-hover hidden></div>
  </div>`;
}

function legend(): Markup {
  const names: readonly (readonly [FeatureGraphNode['kind'], string])[] = [
    ['output', 'output'],
    ['feature', 'feature'],
    ['error', 'error: what no feature says'],
    ['skip', 'skip connection'],
    ['token', 'token'],
    ['position', 'position'],
    ['bias', 'constant'],
  ];
  return html`<ul class="legend" aria-label="How to read the drawing">
    ${names.map(
      ([kind, name]) =>
        html`<li>
          <svg class="graph" viewBox="-9 -9 18 18" width="18" height="18" aria-hidden="true">
            <g class="gnode ${kind}"><path class="shape" d="${shapeOf(kind)}" /></g>
          </svg>
          ${name}
        </li>`,
    )}
    <li>
      <svg class="graph" viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
        <path class="link helps" d="M1 7H33" stroke-width="3" />
      </svg>
      raises
    </li>
    <li>
      <svg class="graph" viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
        <path class="link hinders" d="M1 7H33" stroke-width="3" />
      </svg>
      lowers, − in the node
    </li>
    <li>
      <svg class="graph" viewBox="-11 -11 22 22" width="18" height="18" aria-hidden="true">
        <g class="gnode feature">
          <circle class="pin" r="9.4" />
          <path class="shape" d="${shapeOf('feature')}" />
          <circle class="member" r="2.2" />
        </g>
      </svg>
      pinned; the dot is a group
    </li>
    <li class="only-live">
      click a node to follow its edges; or Tab to the drawing: arrows move, Enter picks, P pins, Esc leaves
    </li>
  </ul>`;
}

function groupControls(): Markup {
  return html`<div class="controls only-live">
    <label
      >Name <input type="text" data-group-name autocomplete="off" maxlength="500" placeholder="a supernode"
    /></label>
    <button type="button" data-group>Group what is ticked</button>
    <button type="button" data-propose aria-expanded="false">Propose groups</button>
    <button type="button" data-save-graph>Save graph JSON</button>
    <button type="button" data-copy-graph>Copy it</button>
    <span class="note"
      >Pins, groups and labels live in this page until it is closed; the graph JSON keeps them in qParams.</span
    >
  </div>`;
}

function scoreFigures({ scores, activeFeatures, nodes }: FeatureGraphRecord): Markup {
  const figure = (name: string, value: string): Markup =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<dl class="figures wide">
    ${figure('replacement score', numberText(scores.replacement))}
    ${figure('completeness score', numberText(scores.completeness))}
    ${figure('features in the graph', numberText(nodes.filter(({ kind }) => kind === 'feature').length, 9))}
    ${activeFeatures !== undefined && figure('features that fired', numberText(activeFeatures, 9))}
  </dl>`;
}

function folded(name: string, count: number, which: string, table: Markup): Markup {
  const here = tableSize(count);
  return html`<details>
    <summary>
      ${name}:
      ${here === count ? `all ${numberText(count, 9)}` : `${which} ${numberText(here, 9)} of ${numberText(count, 9)}`}
    </summary>
    <div class="scroll tall" tabindex="0" role="region" aria-label="${name}">${table}</div>
  </details>`;
}
