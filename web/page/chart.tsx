/** Charts: the only file that knows ECharts. */
import { BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";
import { useEffect, useRef } from "preact/hooks";
import { saveCanvas, saveSvgText } from "./download.ts";

echarts.use([
  AriaComponent,
  BarChart,
  CanvasRenderer,
  CustomChart,
  GridComponent,
  HeatmapChart,
  LegendComponent,
  LineChart,
  ScatterChart,
  SVGRenderer,
  TooltipComponent,
  VisualMapComponent,
]);

export type ChartOption = echarts.EChartsCoreOption;

export interface ChartProps {
  readonly name: string;
  readonly option: ChartOption;
  /** In words, for those who do not see it. */
  readonly label: string;
  readonly height?: number;
  readonly onClick?: (dataIndex: number, seriesIndex: number) => void;
}

/** Texts in tooltips are drawn, not parsed: names of treatments are anybody's. */
const common = (): ChartOption => {
  const { backgroundColor, color } = getComputedStyle(document.body);
  return {
    animation: false,
    backgroundColor,
    textStyle: { color, fontFamily: "system-ui, sans-serif" },
  };
};
export const Chart = ({ name, option, label, height = 360, onClick }: ChartProps) => {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | undefined>(undefined);
  const click = useRef(onClick);
  click.current = onClick;
  useEffect(() => {
    const made = echarts.init(box.current!, null, { renderer: "canvas" });
    chart.current = made;
    made.on("click", ({ dataIndex, seriesIndex }) => click.current?.(dataIndex ?? 0, seriesIndex ?? 0));
    const size = new ResizeObserver(() => made.resize());
    size.observe(box.current!);
    return () => {
      size.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    const show = () => chart.current?.setOption({ ...common(), ...option }, { notMerge: true });
    show();
    addEventListener("theme", show);
    return () => removeEventListener("theme", show);
  }, [option]);

  const asSvg = () => {
    const { clientWidth: width, clientHeight } = box.current!;
    const drawn = echarts.init(null, null, { renderer: "svg", ssr: true, width, height: clientHeight });
    drawn.setOption({ ...common(), ...option });
    saveSvgText(name, drawn.renderToSVGString());
    drawn.dispose();
  };
  return (
    <figure class="chart">
      <div ref={box} role="img" aria-label={label} style={{ height: `${height}px` }} />
      <figcaption class="tools">
        <button type="button" onClick={asSvg}>
          SVG
        </button>
        <button
          type="button"
          onClick={() => chart.current && saveCanvas(name, chart.current.renderToCanvas({ pixelRatio: 2 }))}
        >
          PNG
        </button>
      </figcaption>
    </figure>
  );
};

/** Colours of axes and lines, in the theme that the page has. */
export const axis = (name: string, more: ChartOption = {}): ChartOption => ({
  name,
  nameLocation: "middle",
  nameGap: 28,
  splitLine: { lineStyle: { opacity: 0.25 } },
  axisLine: { onZero: false },
  ...more,
});
