"""What /metrics tells, one module for each part of Offload; a part must be cheap with a million cases."""
