/// How a report looks; one hue for each method, and a lighter one of the same on dark ground.
enum PageStyle {
    static let css = """

        :root { color-scheme: light dark; --ground: #f6f7f9; --card: #ffffff; --ink: #1b1f27; --muted: #5d6675;
          --grid: #e2e6ec; --edge: #dfe3ea; --autoregressive: #8b93a1; --speculative: #2f6fde; --pearl: #c0610f;
          --stream: #0b8467; --mtad: #b3376f; --beam: #8a6d1f; --dsbd: #5a7d1a; --drafter: #7a5af0; --verifier: #2b7bb9;
          --on: #ffffff; }
        @media (prefers-color-scheme: dark) { :root { --ground: #12151b; --card: #1a1e26; --ink: #e8ebf1;
          --muted: #9aa4b4; --grid: #2b313c; --edge: #2b313c; --autoregressive: #8b93a1; --speculative: #6fa3ff;
          --pearl: #f0a052; --stream: #3cc9a0; --mtad: #f07fb0; --beam: #d9bb62; --dsbd: #a4c95c;
          --drafter: #a993ff; --verifier: #5fb0ea; --on: #10131a; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 960px; margin: 0 auto; padding: 32px 16px 64px; }
        h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
        h2 { font-size: 18px; margin: 0 0 12px; } h3 { font-size: 15px; margin: 18px 0 2px; }
        p { margin: 4px 0; } .lead { font-size: 16px; } .muted { color: var(--muted); font-size: 13px; }
        section { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 20px;
          margin-top: 20px; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px;
          margin-top: 20px; }
        .tile { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 14px 16px;
          display: flex; flex-direction: column; overflow-wrap: anywhere; }
        .tile strong { font-size: 26px; line-height: 1.3; }
        .picture, .scroll { overflow-x: auto; } svg { display: block; width: 100%; min-width: 640px; height: auto; }
        table { border-collapse: collapse; font-size: 13px; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: right; padding: 6px 8px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
        th { color: var(--muted); font-weight: 600; white-space: normal; vertical-align: bottom; }
        th:nth-child(2), td:nth-child(2), th:last-child, td:last-child { text-align: left; }
        dl { display: grid; grid-template-columns: minmax(120px, 190px) 1fr; gap: 6px 16px; margin: 0;
          font-size: 14px; }
        dt { color: var(--muted); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
        .t { fill: var(--ink); font-size: 13px; } .t.small { fill: var(--muted); font-size: 12px; }
        .t.strong { font-weight: 600; } .t.on { fill: var(--on); font-size: 11px; }
        .grid { stroke: var(--grid); } .base { stroke: var(--muted); }
        .one { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
        .whisker { stroke: var(--ink); stroke-width: 1.5; } .sample { fill: var(--ink); fill-opacity: 0.3; }
        .s { fill: none; stroke-width: 2; } .faint { fill-opacity: 0.3; }
        .f.speculative { fill: var(--speculative); } .s.speculative { stroke: var(--speculative); }
        .f.pearl { fill: var(--pearl); } .s.pearl { stroke: var(--pearl); }
        .f.stream { fill: var(--stream); } .s.stream { stroke: var(--stream); }
        .f.mtad { fill: var(--mtad); } .s.mtad { stroke: var(--mtad); }
        .f.beam { fill: var(--beam); } .s.beam { stroke: var(--beam); }
        .f.dsbd { fill: var(--dsbd); } .s.dsbd { stroke: var(--dsbd); }
        .f.autoregressive { fill: var(--autoregressive); }
        .f.drafter { fill: var(--drafter); } .f.verifier { fill: var(--verifier); }
        @media print { body { background: #ffffff; } section { break-inside: avoid; } }

        """
}
