# Prints every call of a run or a bus, from the first one on and through lost connections.
#
#   python3 subscribe.py 127.0.0.1:7413
import os
import sys
import time

import grpc

import results_pb2 as pb
from results_pb2_grpc import ResultsStub

address = sys.argv[1]

# Keep it where your program keeps what it has made of the events, and nothing is missed or seen twice.
last_seen = 0
# A run that ends while the connection is lost cannot say so: its server is gone, and does not come back.
patience = float(os.environ.get("PATIENCE_MS", "60000")) / 1000
lost_since = None
while True:
    try:
        # A new channel tries at once; one that failed before waits for longer and longer.
        with grpc.insecure_channel(address, options=[("grpc.keepalive_time_ms", 20_000)]) as channel:
            events = ResultsStub(channel).Subscribe(pb.SubscribeRequest(kinds=["call"], after=last_seen))
            if events.initial_metadata():  # a server that is not there sends none
                lost_since = None
            for event in events:
                call = event.call
                print(event.seq, event.experiment, call.plate, call.well, call.treatment, f"{call.probability:.3f}", flush=True)
                last_seen = event.seq
        break  # the run is over
    except grpc.RpcError as error:
        lost_since = lost_since or time.monotonic()
        if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() - lost_since > patience:
            raise
        print(f"{error.details()}; again after event {last_seen}", file=sys.stderr)
        time.sleep(1)
