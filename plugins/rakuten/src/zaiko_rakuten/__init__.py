"""zaiko connector for Rakuten Ichiba (楽天市場), by the RMS WEB SERVICE."""

__version__ = "0.1.0"
