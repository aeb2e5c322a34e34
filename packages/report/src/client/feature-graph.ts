// A page about an attribution graph: nodes are picked, pinned and grouped, sliders prune, and the drawing, the lists and the sentence follow.
import { graphDrawing, rowNames } from '../feature-graph/graph-drawing.js';
import { graphFile, slugOf } from '../feature-graph/graph-file.js';
import type { LiveGraph } from '../feature-graph/graph-page.js';
import { graphPanel } from '../feature-graph/graph-panel.js';
import { shownText } from '../feature-graph/graph-shown.js';
import { firstReading, graphView, qParamsOf, readingOf, type GraphReading } from '../feature-graph/graph-view.js';
import { pinnedList, proposalList } from '../feature-graph/pinned-list.js';
import { percentText } from '../number-text.js';
import { copyButton } from './copy.js';
import { nodesOf } from './drawing-nodes.js';
import { readAddress, writeAddress } from './graph-address.js';
import { groupControls } from './graph-groups.js';
import { hoverCard } from './graph-hover.js';
import { walkGraph } from './graph-walk.js';
import { saveFile } from './save-file.js';

export function liveGraphPage(section: HTMLElement, { graph, maker }: LiveGraph): void {
  const find = <T extends HTMLElement>(what: string): T | null => section.querySelector<T>(`[data-${what}]`);
  const frame = find('graph');
  const panel = find('panel');
  if (!frame || !panel) return;
  const first = firstReading(graph);
  let view = graphView(graph, readAddress(graph, section.id, first));

  /** Makes the drawing again; whatever had the focus in it has it still. */
  function draw(): void {
    const held = document.activeElement instanceof SVGElement ? document.activeElement.dataset['gnode'] : undefined;
    frame?.replaceChildren(nodesOf(graphDrawing(view)));
    find('row-names')?.replaceChildren(nodesOf(rowNames(view)));
    panel?.replaceChildren(...graphPanel(view).map(nodesOf));
    find('supernodes')?.replaceChildren(...pinnedList(view).map(nodesOf));
    find('proposals')?.replaceChildren(...(view.proposing ? proposalList(view).map(nodesOf) : []));
    find('propose')?.setAttribute('aria-expanded', String(view.proposing));
    find('graph-view')?.classList.toggle('picked', view.picked !== undefined);
    const says = find('shown-says');
    if (says) says.textContent = shownText(graph, view.shown);
    if (held !== undefined) focus(Number(held));
  }
  function focus(node: number): void {
    frame?.querySelector<SVGElement>(`[data-gnode="${node}"]`)?.focus({ preventScroll: true });
  }
  function change(next: Partial<GraphReading>): void {
    view = graphView(graph, { ...readingOf(view), ...next }, view.links);
    draw();
    writeAddress(section.id, view);
  }
  const pick = (node: number | undefined): void => change({ picked: node === view.picked ? undefined : node });
  const pin = (node: number): void =>
    change(
      view.pinned.includes(node)
        ? {
            pinned: view.pinned.filter((each) => each !== node),
            supernodes: view.supernodes.flatMap(({ name, members }) => {
              const left = members.filter((each) => each !== node);
              return left.length ? [{ name, members: left }] : [];
            }),
          }
        : { pinned: [...view.pinned, node] },
    );

  const sliders = [...section.querySelectorAll<HTMLInputElement>('[data-threshold]')];
  function showThresholds(): void {
    for (const slider of sliders) {
      const share = view.choice[slider.dataset['threshold'] === 'edges' ? 'edges' : 'nodes'];
      slider.value = String(share);
      slider.setAttribute('aria-valuetext', `${percentText(share, 3)} of the influence`);
      const says = section.querySelector(`[data-threshold-says="${slider.dataset['threshold']}"]`);
      if (says) says.textContent = `${percentText(share, 3)} of the influence`;
    }
  }
  for (const slider of sliders)
    slider.addEventListener('input', () => {
      change({ choice: { ...view.choice, [slider.dataset['threshold'] ?? '']: Number(slider.value) } });
      showThresholds();
    });
  const constants = find<HTMLInputElement>('constants');
  constants?.addEventListener('change', () => change({ choice: { ...view.choice, constants: constants.checked } }));

  section.addEventListener('click', ({ target }) => {
    if (!(target instanceof Element)) return;
    const at = (what: string): number | undefined => {
      const given = target.closest(`[data-${what}]`)?.getAttribute(`data-${what}`);
      return given === null || given === undefined ? undefined : Number(given);
    };
    const [node, other, pinned] = [at('gnode'), at('go'), at('pin')];
    if (node !== undefined) {
      pick(node);
      focus(node);
    } else if (other !== undefined) {
      change({ picked: other });
      focus(other);
      reveal(other);
    } else if (pinned !== undefined) pin(pinned);
    else if (target.closest('[data-clear]')) change({ picked: undefined });
  });

  /** Moves the frame so that a node is seen in it; the page stays where it is. */
  function reveal(node: number): void {
    const place = view.layout.at.get(node);
    if (place && frame) frame.scrollLeft = place[0] - frame.clientWidth / 2;
  }

  walkGraph(frame, () => view, { pick, pin, clear: () => change({ picked: undefined }) });
  const hover = find('hover');
  if (hover) hoverCard(frame, hover, () => view);
  groupControls(section, () => view, change);
  // A label is written when its field is left, so that the field is not made anew below the hands.
  panel.addEventListener('change', ({ target }) => {
    const given = target instanceof HTMLInputElement ? target.dataset['nodeLabel'] : undefined;
    if (given === undefined) return;
    const node = Number(given);
    const label = (target as HTMLInputElement).value.trim();
    const labels = new Map(view.labels);
    if (label === (graph.nodes[node]?.label ?? '')) labels.delete(node);
    else labels.set(node, label);
    change({ labels });
  });
  const file = (): string => graphFile(view.graph, qParamsOf(view), maker);
  find('save-graph')?.addEventListener('click', () => saveFile(`${graph.slug ?? slugOf(graph.title)}.json`, file()));
  copyButton(find<HTMLButtonElement>('copy-graph'), file);
  addEventListener('hashchange', () => {
    view = graphView(graph, readAddress(graph, section.id, readingOf(view)), view.links);
    showThresholds();
    draw();
  });
  showThresholds();
  draw();
  if (view.picked !== undefined) reveal(view.picked);
}
