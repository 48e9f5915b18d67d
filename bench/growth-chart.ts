/** Draws what work costs as it grows. */
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export interface Series {
  readonly label: string;
  /** How many, and processor seconds. */
  readonly points: readonly (readonly [number, number])[];
}

const title = "Processor seconds of a node as work grows";

/** An SVG with both axes logarithmic: what grows in proportion is a line of slope 1. */
export const growthChart = (series: readonly Series[]): string => {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 720, height: 540 });
  chart.setOption({
    backgroundColor: "#fff",
    animation: false,
    title: { text: title, left: 16, top: 8, textStyle: { fontSize: 16 } },
    legend: { orient: "vertical", bottom: 8, left: 80 },
    grid: { left: 80, right: 30, top: 50, bottom: 190 },
    xAxis: { type: "log", name: "how many", nameLocation: "middle", nameGap: 30 },
    yAxis: {
      type: "log",
      name: "CPU seconds",
      nameLocation: "middle",
      nameGap: 55,
      axisLabel: { formatter: (value: number) => String(Number(value.toPrecision(1))) },
    },
    series: series.map(({ label, points }) => ({ type: "line", name: label, data: points, symbolSize: 7 })),
  });
  const drawn = chart.renderToSVGString();
  chart.dispose();
  const still = drawn.replace(/<style[\s\S]*?<\/style>/, ""); // what the mouse would change
  return `${still.replace(">", `><title>${title}</title>`)}\n`;
};
