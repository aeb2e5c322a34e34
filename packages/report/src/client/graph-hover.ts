// What is pointed at in a graph, or has the focus there: its name and, of a feature, its dashboard, on a card beside it.
import { drawn } from '../drawn.js';
import { cardOf } from '../feature-graph/graph-panel.js';
import { nodeFigures, nodeName, placeOf } from '../feature-graph/graph-names.js';
import type { GraphView } from '../feature-graph/graph-view.js';
import { nodesOf } from './drawing-nodes.js';

export function hoverCard(frame: HTMLElement, card: HTMLElement, view: () => GraphView): void {
  const hide = (): void => {
    card.hidden = true;
  };

  function show(shape: Element): void {
    const index = Number(shape.getAttribute('data-gnode'));
    const { graph, picked } = view();
    const node = graph.nodes[index];
    // The panel says more of the picked node, and would lie below the card.
    if (!node || !card.parentElement || index === picked) return hide();
    const own = cardOf(graph, index);
    card.replaceChildren(
      ...(own ? [] : [nodesOf(drawn('h5', {}, nodeName(node, graph)))]),
      ...(own ? [nodesOf(own)] : []),
      nodesOf(drawn('p', { class: 'note' }, placeOf(node, graph))),
      nodesOf(
        drawn(
          'p',
          { class: 'note' },
          nodeFigures(node)
            .map((pair) => pair.join(' '))
            .join(' · '),
        ),
      ),
    );
    card.hidden = false;
    // Beside the node, on the side where there is room.
    const within = card.parentElement.getBoundingClientRect();
    const { left, right, top } = shape.getBoundingClientRect();
    const { width, height } = card.getBoundingClientRect();
    const x = right + 10 + width <= innerWidth ? right + 10 : Math.max(4, left - 10 - width);
    const y = Math.min(Math.max(4, top - 20), Math.max(4, innerHeight - height - 8));
    card.style.left = `${x - within.left}px`;
    card.style.top = `${y - within.top}px`;
  }

  const shapeAt = (target: EventTarget | null): Element | null =>
    target instanceof Element ? target.closest('[data-gnode]') : null;
  frame.addEventListener('pointerover', (event) => {
    const shape = event.pointerType === 'mouse' ? shapeAt(event.target) : null;
    if (shape) show(shape);
    else hide();
  });
  frame.addEventListener('pointerleave', hide);
  frame.addEventListener('focusin', ({ target }) => {
    const shape = shapeAt(target);
    if (shape?.matches(':focus-visible')) show(shape);
  });
  frame.addEventListener('focusout', hide);
  frame.addEventListener('scroll', hide);
}
